import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { resolveOptions } from '../../src/core/options/resolve-options.ts';
import { ScriptedTransport } from '../helpers/scripted-transport.ts';
import { serve } from '../helpers/server.ts';

type Strings = readonly string[];

const CLOSE_TIMEOUT = 1000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});

afterEach(() => {
  vi.useRealTimers();
});

/** A host that listens, and what it emits. */
async function listen() {
  const events: unknown[] = [];
  const transport = new ScriptedTransport();
  const { server, host } = await serve<Strings>(resolveOptions<Strings>({ transport, args: [] }), (emitter) => {
    emitter.on('args', (args) => events.push(args));
    emitter.on('verifyFailed', () => events.push('verifyFailed'));
    emitter.on('warning', ({ code }) => events.push(code));
  });
  return { server, rejectUnfinished: () => host.connections.rejectUnfinished(), transport, events };
}

describe('Server.close', () => {
  it('frees the endpoint within the call, and keeps the process alive until it has closed', async () => {
    const { server, transport } = await listen();
    server.setRef(false);
    const closing = server.close();
    expect(transport.steps).toEqual(['listen', 'unref', 'ref', 'close']);
    expect(server.isListening).toBe(false);
    await closing;
  });

  it('resolves without a timer if no connection is open', async () => {
    const { server } = await listen();
    await server.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('changes nothing a second time', async () => {
    const { server, transport } = await listen();
    await server.close();
    await server.close();
    expect(transport.steps.filter((step) => step === 'close')).toHaveLength(1);
  });

  it('keeps the name of the endpoint', async () => {
    const { server } = await listen();
    await server.close();
    expect(server.endpoint).toBe('scripted://endpoint/bound');
  });

  it('dispatches the launch of a connection that was accepted, and resolves when it has closed', async () => {
    const { server, transport, events } = await listen();
    const client = transport.connectClient();
    const closing = server.close();
    await turn();
    expect(vi.getTimerCount()).toBe(2);
    client.push('a\0');
    client.push(null);
    await closing;
    expect(events).toEqual([['a']]);
    expect(client.wasReset).toBe(false);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('waits for the last of several connections', async () => {
    const { server, transport, events } = await listen();
    const [first, second] = [transport.connectClient(), transport.connectClient()];
    const closing = server.close().then(() => events.push('closed'));
    first.push('1\0');
    first.push(null);
    await turn();
    expect(events).toEqual([['1']]);
    second.push('2\0');
    second.push(null);
    await closing;
    expect(events).toEqual([['1'], ['2'], 'closed']);
  });

  it('resets a connection that is not complete after a second, and not before', async () => {
    const { server, transport, events } = await listen();
    const client = transport.connectClient();
    const closing = server.close();
    await vi.advanceTimersByTimeAsync(CLOSE_TIMEOUT - 1);
    expect(client.wasReset).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    await closing;
    expect(client.wasReset).toBe(true);
    expect(events).toEqual(['ERR_SINGLETON_RELEASED']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('destroys a complete connection whose client does not close it after a second', async () => {
    const { server, transport, events } = await listen();
    const client = transport.connectClient();
    client.isStuck = true;
    client.push('a\0');
    client.push(null);
    await turn();
    const closing = server.close();
    await vi.advanceTimersByTimeAsync(CLOSE_TIMEOUT - 1);
    expect(client.destroyed).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    await closing;
    expect(client.destroyed).toBe(true);
    expect(events).toEqual([['a']]);
  });
});

describe('ConnectionManager.rejectUnfinished', () => {
  it('resets every connection that is not complete, each with a warning', async () => {
    const { rejectUnfinished, transport, events } = await listen();
    const [first, second] = [transport.connectClient(), transport.connectClient()];
    first.push('a\0');
    rejectUnfinished();
    expect([first.wasReset, second.wasReset]).toEqual([true, true]);
    await turn();
    expect(events).toEqual(['ERR_SINGLETON_RELEASED', 'ERR_SINGLETON_RELEASED']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('leaves a connection that is complete alone', async () => {
    const { rejectUnfinished, transport, events } = await listen();
    const client = transport.connectClient();
    client.push('a\0');
    client.push(null);
    await turn();
    rejectUnfinished();
    expect(client.wasReset).toBe(false);
    expect(events).toEqual([['a']]);
  });

  it('dispatches no launch afterwards', async () => {
    const { rejectUnfinished, transport, events } = await listen();
    rejectUnfinished();
    const client = transport.connectClient();
    client.push('a\0');
    client.push(null);
    await turn();
    expect(events).toEqual(['ERR_SINGLETON_RELEASED']);
  });
});
