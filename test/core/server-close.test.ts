import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LazyAbortController } from '../../src/core/deadline.ts';
import { resolveOptions } from '../../src/core/resolve-options.ts';
import { ScriptedTransport } from '../helpers/scripted-transport.ts';
import { holdOf } from '../helpers/server.ts';

type Strings = readonly string[];

const GRACE = 1000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});

afterEach(() => {
  vi.useRealTimers();
});

/** A host that listens, what it reports, and its endpoint. */
async function listen() {
  const reports: unknown[] = [];
  const transport = new ScriptedTransport();
  const hold = holdOf<Strings, unknown>(resolveOptions<Strings>({ transport, args: [] }), {
    launched: ({ launch }) => {
      reports.push(launch.args);
      return true;
    },
    verifyFailed: () => reports.push('verifyFailed'),
    warning: ({ code }) => reports.push(code),
    changed: () => {},
  });
  await hold.listen(new LazyAbortController());
  await hold.open(new LazyAbortController());
  return { hold, cut: () => hold.host?.visits.rejectUnfinished(), transport, reports };
}

describe('close', () => {
  it('frees the endpoint within the call, and keeps the process alive until it is over', async () => {
    const { hold, transport } = await listen();
    hold.setRef(false);
    const closing = hold.close();
    expect(transport.steps).toEqual(['listen', 'unref', 'ref', 'close']);
    expect(hold.isListening).toBe(false);
    await closing;
  });

  it('resolves without a timer where no connection is open', async () => {
    const { hold } = await listen();
    await hold.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('changes nothing a second time', async () => {
    const { hold, transport } = await listen();
    await hold.close();
    await hold.close();
    expect(transport.steps.filter((step) => step === 'close')).toHaveLength(1);
  });

  it('keeps the name of the endpoint', async () => {
    const { hold } = await listen();
    await hold.close();
    expect(hold.endpoint).toBe('scripted://endpoint/bound');
  });

  it('serves a connection that was accepted, and resolves when it is closed', async () => {
    const { hold, transport, reports } = await listen();
    const client = transport.dial();
    const closing = hold.close();
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
    const { hold, transport, reports } = await listen();
    const [first, second] = [transport.dial(), transport.dial()];
    const closing = hold.close().then(() => reports.push('closed'));
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
    const { hold, transport, reports } = await listen();
    const client = transport.dial();
    const closing = hold.close();
    await vi.advanceTimersByTimeAsync(GRACE - 1);
    expect(client.wasReset).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    await closing;
    expect(client.wasReset).toBe(true);
    expect(reports).toEqual(['ERR_SINGLETON_RELEASED']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('destroys a complete connection whose client does not close it after a second', async () => {
    const { hold, transport, reports } = await listen();
    const client = transport.dial();
    client.isStuck = true;
    client.push('a\0');
    client.push(null);
    await turn();
    const closing = hold.close();
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
    const { cut, transport, reports } = await listen();
    const [first, second] = [transport.dial(), transport.dial()];
    first.push('a\0');
    cut();
    expect([first.wasReset, second.wasReset]).toEqual([true, true]);
    await turn();
    expect(reports).toEqual(['ERR_SINGLETON_RELEASED', 'ERR_SINGLETON_RELEASED']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('leaves a connection that is complete alone', async () => {
    const { cut, transport, reports } = await listen();
    const client = transport.dial();
    client.push('a\0');
    client.push(null);
    await turn();
    cut();
    expect(client.wasReset).toBe(false);
    expect(reports).toEqual([['a']]);
  });

  it('no launch is complete after it', async () => {
    const { cut, transport, reports } = await listen();
    cut();
    const client = transport.dial();
    client.push('a\0');
    client.push(null);
    await turn();
    expect(reports).toEqual(['ERR_SINGLETON_RELEASED']);
  });
});
