import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { AnyOptions } from '../../../src/core/options/resolved-options.ts';
import { resolveOptions } from '../../../src/core/options/resolve-options.ts';
import { legacy, type Schema } from '../../../src/index.ts';
import type { SingletonError } from '../../../src/interface/errors.ts';
import { ScriptedConnection, ScriptedTransport } from '../../helpers/scripted-transport.ts';
import { serve } from '../../helpers/server.ts';

type Strings = readonly string[];
type Options = AnyOptions<Strings, unknown>;

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'],
    now: new Date('2025-01-02T03:04:05Z'),
  });
});

afterEach(() => {
  vi.useRealTimers();
});

/** A protocol that is broken. */
function raise(error: Error): never {
  throw error;
}

/** A host that listens, and what it emits. */
async function listen(options: Options = {}, transport = new ScriptedTransport()) {
  const events: unknown[] = [];
  const warnings: SingletonError[] = [];
  const resolved = resolveOptions<Strings>({ transport, args: [], ...options });
  const { server, host } = await serve(resolved, (emitter) => {
    emitter.on('args', (args, client) => events.push(['args', args, client.remoteAddress]));
    emitter.on('verifyFailed', (failure) => events.push(['verifyFailed', failure]));
    emitter.on('warning', (warning) => {
      warnings.push(warning);
      events.push(['warning', warning.code]);
    });
  });
  return { server, host, transport, events, warnings };
}

/** Time, and then the two turns in which a host reads what arrived before its deadline. */
async function pass(milliseconds: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(milliseconds);
  for (let turns = 0; turns < 3; turns++) await turn();
}

describe('HostConnection', () => {
  it('dispatches a complete launch with its remote address, then ends the connection', async () => {
    const { transport, events } = await listen();
    const client = transport.connectClient('127.0.0.9');
    client.push('a\0b\0');
    client.push(null);
    await turn();
    expect(events).toEqual([['args', ['a', 'b'], '127.0.0.9']]);
    expect(client).toMatchObject({ writableFinished: true, destroyed: true, wasReset: false, received: '' });
  });

  it('reports a wrong secret with the time and the address, and nothing that the client sent', async () => {
    const { transport, events } = await listen({ secret: 'right' });
    const client = transport.connectClient('127.0.0.9');
    client.push('wrong\0a\0');
    client.push(null);
    await turn();
    const time = new Date('2025-01-02T03:04:05Z');
    const failure = { reason: 'wrong-secret', remoteAddress: '127.0.0.9', time, count: 1, suppressed: 0 };
    expect(events).toEqual([['verifyFailed', failure]]);
    expect(client).toMatchObject({ destroyed: true, wasReset: false });
  });

  it('warns of a connection that closed before it was read, and does not wait for it', async () => {
    const { server, host, events } = await listen();
    const client = new ScriptedConnection(() => {}).destroy();
    while (!client.closed) await turn();
    host.connections.accept(client);
    expect(events).toEqual([['warning', 'ERR_SINGLETON_CONNECTION_FAILED']]);
    await server.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('closes a connection that ended without a byte before it was read, without a warning', async () => {
    const { server, host, events } = await listen();
    const client = new ScriptedConnection(() => {}).resume();
    client.push(null);
    while (!client.readableEnded) await turn();
    host.connections.accept(client);
    while (!client.closed) await turn();
    expect(events).toEqual([]);
    await server.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('resets a connection at receiveTimeout although bytes still trickle in', async () => {
    const { transport, events } = await listen({ receiveTimeout: 100 });
    const client = transport.connectClient();
    for (let i = 0; i < 99; i++) {
      client.push('a');
      await vi.advanceTimersByTimeAsync(1);
    }
    expect([client.wasReset, events]).toEqual([false, []]);
    await pass(1);
    expect([client.wasReset, events]).toEqual([true, [['warning', 'ERR_SINGLETON_CONNECTION_FAILED']]]);
  });

  it('dispatches a launch that completes just before receiveTimeout', async () => {
    const { transport, events } = await listen({ receiveTimeout: 100 });
    const client = transport.connectClient();
    await vi.advanceTimersByTimeAsync(99);
    client.push('a\0');
    client.push(null);
    await turn();
    await vi.advanceTimersByTimeAsync(100);
    expect(events).toEqual([['args', ['a'], undefined]]);
  });

  it('dispatches a launch whose bytes arrive in the turn after the deadline, and whose end arrives one turn later', async () => {
    const { transport, events } = await listen({ receiveTimeout: 100 });
    const client = transport.connectClient();
    vi.advanceTimersByTime(100);
    client.push('a\0');
    setImmediate(() => client.push(null));
    for (let turns = 0; turns < 4; turns++) await turn();
    expect(events).toEqual([['args', ['a'], undefined]]);
    expect(client.wasReset).toBe(false);
  });

  it('has its time once more, but only once, if the host was blocked when it expired', async () => {
    const { transport } = await listen({ receiveTimeout: 100 });
    const client = transport.connectClient();
    let blocked = 0;
    const now = performance.now.bind(performance);
    vi.spyOn(performance, 'now').mockImplementation(() => now() + blocked);
    blocked += 1000;
    await pass(100);
    expect(client.wasReset).toBe(false);
    await pass(99);
    expect(client.wasReset).toBe(false);
    blocked += 1000;
    await pass(1);
    expect(client.wasReset).toBe(true);
    vi.restoreAllMocks();
  });

  it('has a deadline of its own', async () => {
    const { transport } = await listen({ receiveTimeout: 100 });
    const first = transport.connectClient();
    await vi.advanceTimersByTimeAsync(50);
    const second = transport.connectClient();
    await pass(50);
    expect([first.wasReset, second.wasReset]).toEqual([true, false]);
    await pass(50);
    expect(second.wasReset).toBe(true);
  });

  it('warns of and resets a connection that sends too much and has not ended', async () => {
    const { transport, events } = await listen({ maxMessageBytes: 3 });
    const client = transport.connectClient();
    client.push('abcd');
    await turn();
    expect([client.wasReset, events]).toEqual([true, [['warning', 'ERR_SINGLETON_MESSAGE_TOO_LARGE']]]);
  });

  it('warns of and ends a connection that has ended too early', async () => {
    const { transport, events } = await listen();
    const client = transport.connectClient();
    client.push('abc');
    client.push(null);
    await turn();
    expect(events).toEqual([['warning', 'ERR_SINGLETON_TRUNCATED_MESSAGE']]);
    expect(client).toMatchObject({ wasReset: false, writableFinished: true, destroyed: true });
  });

  it('warns of a connection that fails, and ignores its later errors', async () => {
    const { transport, events } = await listen();
    const client = transport.connectClient();
    client.destroy(new Error('ECONNRESET'));
    await turn();
    client.emit('error', new Error('late'));
    expect(events).toEqual([['warning', 'ERR_SINGLETON_CONNECTION_FAILED']]);
  });

  it.each([
    [true, [['warning', 'ERR_SINGLETON_CONNECTION_FAILED']]],
    [false, [['args', ['a'], undefined]]],
  ])(
    'drops a launch whose client has disconnected after its end (%s), else dispatches it',
    async (isPeerGone, expected) => {
      const { transport, events } = await listen();
      const client = Object.assign(transport.connectClient(), { isPeerGone: () => isPeerGone });
      client.push('a\0');
      client.push(null);
      await turn();
      expect(events).toEqual(expected);
      expect(client.destroyed).toBe(true);
    },
  );

  it('warns of an error that the protocol throws, with that error as the cause', async () => {
    const boom = new Error('boom');
    const protocol = { ...legacy().protocol, inbound: async () => () => raise(boom) };
    const { transport, warnings } = await listen({ codec: { name: 'broken', protocol } });
    transport.connectClient();
    await turn();
    expect(warnings).toMatchObject([{ code: 'ERR_SINGLETON_CONNECTION_FAILED', cause: boom }]);
  });

  it('does not keep the process alive with its deadline', async () => {
    vi.useRealTimers();
    const { transport } = await listen();
    const before = process.getActiveResourcesInfo();
    const client = transport.connectClient();
    expect(process.getActiveResourcesInfo()).toEqual(before);
    client.destroy();
  });

  it('shares one timer with all others, and leaves none', async () => {
    const { transport } = await listen();
    const [complete, broken] = [transport.connectClient(), transport.connectClient()];
    expect(vi.getTimerCount()).toBe(1);
    complete.push('a\0');
    complete.push(null);
    broken.destroy();
    await turn();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('HostConnection, while a schema has not settled,', () => {
  const waiting: (() => void)[] = [];
  const schema: Schema<unknown, Strings> = {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: async () => {
        await new Promise<void>((resolve) => waiting.push(resolve));
        return { value: ['late'] };
      },
    },
  };

  /** A host whose only connection has ended. */
  async function connectDuringValidation() {
    const all = await listen({ schema, receiveTimeout: 100 });
    const client = all.transport.connectClient();
    client.push('a\0');
    client.push(null);
    await turn();
    return { ...all, client };
  }

  async function settleSchemas(): Promise<void> {
    for (const resolve of waiting.splice(0)) resolve();
    await turn();
  }

  it('warns once when the deadline has expired, and does not dispatch later', async () => {
    const { events } = await connectDuringValidation();
    await pass(100);
    await settleSchemas();
    expect(events).toEqual([['warning', 'ERR_SINGLETON_CONNECTION_FAILED']]);
  });

  it('resets a connection that has ended at a release, because an end would mean success', async () => {
    const { host, events, client } = await connectDuringValidation();
    host.connections.rejectUnfinished();
    await settleSchemas();
    expect(client.wasReset).toBe(true);
    expect(events).toEqual([['warning', 'ERR_SINGLETON_RELEASED']]);
  });
});

describe('maxConnections', () => {
  it('resets the oldest incomplete connection for a new one', async () => {
    const { transport, events } = await listen({ maxConnections: 2 });
    const [first, second, third] = [transport.connectClient(), transport.connectClient(), transport.connectClient()];
    expect([first.wasReset, second.wasReset]).toEqual([true, false]);
    for (const client of [second, third]) {
      client.push('a\0');
      client.push(null);
    }
    await turn();
    expect(events).toEqual([
      ['warning', 'ERR_SINGLETON_BUSY'],
      ['args', ['a'], undefined],
      ['args', ['a'], undefined],
    ]);
  });

  it('resets one that has sent nothing before one whose launch has begun', async () => {
    const { transport } = await listen({ maxConnections: 2 });
    const begun = transport.connectClient();
    begun.push('a');
    await turn();
    const silent = transport.connectClient();
    transport.connectClient();
    expect([begun.wasReset, silent.wasReset]).toEqual([false, true]);
    begun.destroy();
  });

  it('does not close a connection whose complete launch is being validated', async () => {
    const schema = { '~standard': { version: 1, vendor: 'test', validate: neverValidates } } as const;
    const { transport, events } = await listen({ schema, maxConnections: 1 });
    const proven = transport.connectClient();
    proven.push('a\0');
    proven.push(null);
    await turn();
    const next = transport.connectClient();
    expect([proven.wasReset, next.wasReset]).toEqual([false, true]);
    expect(events).toEqual([['warning', 'ERR_SINGLETON_BUSY']]);
    proven.destroy();
  });

  it('does not close a connection whose launch is complete', async () => {
    const { transport, events } = await listen({ maxConnections: 1 });
    const [complete] = [transport.connectClient()];
    complete.isStuck = true;
    complete.push('a\0');
    complete.push(null);
    await turn();
    const next = transport.connectClient();
    expect([complete.wasReset, next.wasReset]).toEqual([false, false]);
    expect(events).toEqual([['args', ['a'], undefined]]);
    complete.destroy();
  });
});

function neverValidates(): Promise<never> {
  return new Promise(() => {});
}
