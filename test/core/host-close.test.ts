import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Host } from '../../src/core/host.ts';
import { resolveOptions } from '../../src/core/resolve-options.ts';
import { ScriptedTransport } from './scripted-transport.ts';

type Strings = readonly string[];

const GRACE = 1000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});

afterEach(() => {
  vi.useRealTimers();
});

/** A host that listens, what it reports, and its place. */
async function listen() {
  const reports: unknown[] = [];
  const transport = new ScriptedTransport();
  const host = new Host<Strings>(resolveOptions<Strings>({ transport, args: [] }), {
    launched: ({ launch }) => {
      reports.push(launch.args);
      return true;
    },
    verifyFailed: () => reports.push('verifyFailed'),
    warning: ({ code }) => reports.push(code),
    lost: () => reports.push('lost'),
    changed: () => {},
  });
  await host.listen(new AbortController().signal);
  return { host, transport, reports };
}

describe('close', () => {
  it('frees the place within the call, and keeps the process alive until it is over', async () => {
    const { host, transport } = await listen();
    host.keepAlive(false);
    const closing = host.close();
    expect(transport.steps).toEqual(['listen', 'unref', 'ref', 'close']);
    expect(host.isListening).toBe(false);
    await closing;
  });

  it('resolves without a timer where no connection is open', async () => {
    const { host } = await listen();
    await host.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('changes nothing a second time', async () => {
    const { host, transport } = await listen();
    await host.close();
    await host.close();
    expect(transport.steps.filter((step) => step === 'close')).toHaveLength(1);
  });

  it('keeps the name of the place', async () => {
    const { host } = await listen();
    await host.close();
    expect(host.place).toBe('scripted://place/bound');
  });

  it('serves a connection that was accepted, and resolves when it is closed', async () => {
    const { host, transport, reports } = await listen();
    const client = transport.dial();
    const closing = host.close();
    await turn();
    expect(vi.getTimerCount()).toBe(2);
    client.push('a\0');
    client.push(null);
    await closing;
    expect(reports).toEqual([['a']]);
    expect(client.wasReset).toBe(false);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('waits for the last of several connections', async () => {
    const { host, transport, reports } = await listen();
    const [first, second] = [transport.dial(), transport.dial()];
    const closing = host.close().then(() => reports.push('closed'));
    first.push('1\0');
    first.push(null);
    await turn();
    expect(reports).toEqual([['1']]);
    second.push('2\0');
    second.push(null);
    await closing;
    expect(reports).toEqual([['1'], ['2'], 'closed']);
  });

  it('resets a connection that is not complete after a second, and not before', async () => {
    const { host, transport, reports } = await listen();
    const client = transport.dial();
    const closing = host.close();
    await vi.advanceTimersByTimeAsync(GRACE - 1);
    expect(client.wasReset).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    await closing;
    expect(client.wasReset).toBe(true);
    expect(reports).toEqual(['ERR_SINGLETON_RELEASED']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('destroys a complete connection whose client does not close it after a second', async () => {
    const { host, transport, reports } = await listen();
    const client = transport.dial();
    client.isStuck = true;
    client.push('a\0');
    client.push(null);
    await turn();
    const closing = host.close();
    await vi.advanceTimersByTimeAsync(GRACE - 1);
    expect(client.destroyed).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    await closing;
    expect(client.destroyed).toBe(true);
    expect(reports).toEqual([['a']]);
  });
});

describe('cut', () => {
  it('resets every connection that is not complete, each with a warning', async () => {
    const { host, transport, reports } = await listen();
    const [first, second] = [transport.dial(), transport.dial()];
    first.push('a\0');
    host.cut();
    expect([first.wasReset, second.wasReset]).toEqual([true, true]);
    await turn();
    expect(reports).toEqual(['ERR_SINGLETON_RELEASED', 'ERR_SINGLETON_RELEASED']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('leaves a connection that is complete alone', async () => {
    const { host, transport, reports } = await listen();
    const client = transport.dial();
    client.push('a\0');
    client.push(null);
    await turn();
    host.cut();
    expect(client.wasReset).toBe(false);
    expect(reports).toEqual([['a']]);
  });

  it('no launch is complete after it', async () => {
    const { host, transport, reports } = await listen();
    host.cut();
    const client = transport.dial();
    client.push('a\0');
    client.push(null);
    await turn();
    expect(reports).toEqual(['ERR_SINGLETON_RELEASED']);
  });
});
