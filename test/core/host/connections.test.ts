import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LazyAbortController } from '../../../src/core/deadline.ts';
import type { ConnectionEvents } from '../../../src/core/host/connection.ts';
import type { HostOptions } from '../../../src/core/options.ts';
import { resolveOptions } from '../../../src/core/resolve-options.ts';
import { validated } from '../../../src/core/validated.ts';
import { legacy, type Schema } from '../../../src/index.ts';
import { SingletonError } from '../../../src/interface/errors.ts';
import { ScriptedConnection, ScriptedTransport } from '../../helpers/scripted-transport.ts';
import { holdOf } from '../../helpers/server.ts';

type Strings = readonly string[];

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

/** A host that listens, what it reports, and its endpoint. */
async function listen(options: HostOptions<Strings> = {}, transport = new ScriptedTransport()) {
  const reports: unknown[] = [];
  const warnings: SingletonError[] = [];
  const to: ConnectionEvents<Strings> = {
    launched: ({ launch, bytes }, remoteAddress, dispatching) => {
      reports.push(['launched', launch.args, bytes, remoteAddress]);
      dispatching({ outcome: 'delivered', client: 1 });
      return true;
    },
    verifyFailed: (failure) => reports.push(['verifyFailed', failure]),
    warning: (warning) => {
      warnings.push(warning);
      reports.push(['warning', warning.code]);
    },
    changed: () => {},
  };
  const hold = holdOf(resolveOptions<Strings>({ transport, args: [], ...options }), to, () => reports.push(['lost']));
  const isHost = await hold.listen(new LazyAbortController());
  await hold.open(new LazyAbortController());
  return { hold, transport, reports, warnings, isHost };
}

/** Time, and then the two turns in which a host reads what came before its deadline. */
async function pass(milliseconds: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(milliseconds);
  for (let turns = 0; turns < 3; turns++) await turn();
}

describe('a connection', () => {
  it('with a complete launch is reported with its remote address, then ended', async () => {
    const { transport, reports } = await listen();
    const client = transport.dial('127.0.0.9');
    client.push('a\0b\0');
    client.push(null);
    await turn();
    expect(reports).toEqual([['launched', ['a', 'b'], 4, '127.0.0.9']]);
    expect(client).toMatchObject({ writableFinished: true, destroyed: true, wasReset: false, received: '' });
  });

  it('with a wrong secret is reported with the time and the address, and nothing of what it sent', async () => {
    const { transport, reports } = await listen({ secret: 'right' });
    const client = transport.dial('127.0.0.9');
    client.push('wrong\0a\0');
    client.push(null);
    await turn();
    const time = new Date('2025-01-02T03:04:05Z');
    expect(reports).toEqual([['verifyFailed', { reason: 'wrong-secret', remoteAddress: '127.0.0.9', time }]]);
    expect(client).toMatchObject({ destroyed: true, wasReset: false });
  });

  it('that closed before it could be read is a warning, and nobody waits for it', async () => {
    const { hold, reports } = await listen();
    const client = new ScriptedConnection(() => {}).destroy();
    while (!client.closed) await turn();
    hold.host?.accept(client);
    expect(reports).toEqual([['warning', 'ERR_SINGLETON_CONNECTION_FAILED']]);
    await hold.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('that ended without a byte before it could be read is truncated, at once', async () => {
    const { hold, reports } = await listen();
    const client = new ScriptedConnection(() => {}).resume();
    client.push(null);
    while (!client.readableEnded) await turn();
    hold.host?.accept(client);
    expect(reports).toEqual([['warning', 'ERR_SINGLETON_TRUNCATED_MESSAGE']]);
    await hold.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is cut off at receiveTimeout, however much it trickles', async () => {
    const { transport, reports } = await listen({ receiveTimeout: 100 });
    const client = transport.dial();
    for (let i = 0; i < 99; i++) {
      client.push('a');
      await vi.advanceTimersByTimeAsync(1);
    }
    expect([client.wasReset, reports]).toEqual([false, []]);
    await pass(1);
    expect([client.wasReset, reports]).toEqual([true, [['warning', 'ERR_SINGLETON_CONNECTION_FAILED']]]);
  });

  it('is served when it completes just before receiveTimeout', async () => {
    const { transport, reports } = await listen({ receiveTimeout: 100 });
    const client = transport.dial();
    await vi.advanceTimersByTimeAsync(99);
    client.push('a\0');
    client.push(null);
    await turn();
    await vi.advanceTimersByTimeAsync(100);
    expect(reports).toEqual([['launched', ['a'], 2, undefined]]);
  });

  it('is served when its bytes come in the turn after the deadline, and its end one later', async () => {
    const { transport, reports } = await listen({ receiveTimeout: 100 });
    const client = transport.dial();
    vi.advanceTimersByTime(100);
    client.push('a\0');
    setImmediate(() => client.push(null));
    for (let turns = 0; turns < 4; turns++) await turn();
    expect(reports).toEqual([['launched', ['a'], 2, undefined]]);
    expect(client.wasReset).toBe(false);
  });

  it('has a deadline of its own', async () => {
    const { transport } = await listen({ receiveTimeout: 100 });
    const first = transport.dial();
    await vi.advanceTimersByTimeAsync(50);
    const second = transport.dial();
    await pass(50);
    expect([first.wasReset, second.wasReset]).toEqual([true, false]);
    await pass(50);
    expect(second.wasReset).toBe(true);
  });

  it('that sends too much is a warning and is reset, since it has not ended', async () => {
    const { transport, reports } = await listen({ maxMessageBytes: 3 });
    const client = transport.dial();
    client.push('abcd');
    await turn();
    expect([client.wasReset, reports]).toEqual([true, [['warning', 'ERR_SINGLETON_MESSAGE_TOO_LARGE']]]);
  });

  it('that ends too early is a warning and is ended, since it has ended', async () => {
    const { transport, reports } = await listen();
    const client = transport.dial();
    client.push('abc');
    client.push(null);
    await turn();
    expect(reports).toEqual([['warning', 'ERR_SINGLETON_TRUNCATED_MESSAGE']]);
    expect(client).toMatchObject({ wasReset: false, writableFinished: true, destroyed: true });
  });

  it('that breaks is a warning, and its late errors are nobody’s exception', async () => {
    const { transport, reports } = await listen();
    const client = transport.dial();
    client.destroy(new Error('ECONNRESET'));
    await turn();
    client.emit('error', new Error('late'));
    expect(reports).toEqual([['warning', 'ERR_SINGLETON_CONNECTION_FAILED']]);
  });

  it.each([
    [true, [['warning', 'ERR_SINGLETON_CONNECTION_FAILED']]],
    [false, [['launched', ['a'], 2, undefined]]],
  ])('whose client gave up after its end (%s) is dropped with a warning, else served', async (isPeerGone, expected) => {
    const { transport, reports } = await listen();
    const client = Object.assign(transport.dial(), { isPeerGone: () => isPeerGone });
    client.push('a\0');
    client.push(null);
    await turn();
    expect(reports).toEqual(expected);
    expect(client.destroyed).toBe(true);
  });

  it('whose protocol fails with a foreign error is a warning with that as the cause', async () => {
    const boom = new Error('boom');
    const protocol = { ...legacy().protocol, inbound: async () => () => raise(boom) };
    const { transport, warnings } = await listen({ codec: { name: 'broken', protocol } });
    transport.dial();
    await turn();
    expect(warnings).toMatchObject([{ code: 'ERR_SINGLETON_CONNECTION_FAILED', cause: boom }]);
  });

  it('does not keep the process alive by its deadline', async () => {
    vi.useRealTimers();
    const { transport } = await listen();
    const before = process.getActiveResourcesInfo();
    const client = transport.dial();
    expect(process.getActiveResourcesInfo()).toEqual(before);
    client.destroy();
  });

  it('shares one timer with all others, and leaves none', async () => {
    const { transport } = await listen();
    const [complete, broken] = [transport.dial(), transport.dial()];
    expect(vi.getTimerCount()).toBe(1);
    complete.push('a\0');
    complete.push(null);
    broken.destroy();
    await turn();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('a launch that a schema holds up', () => {
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
  async function heldUp() {
    const all = await listen({ codec: validated(legacy(), schema), receiveTimeout: 100 });
    const client = all.transport.dial();
    client.push('a\0');
    client.push(null);
    await turn();
    return { ...all, client };
  }

  async function goOn(): Promise<void> {
    for (const resolve of waiting.splice(0)) resolve();
    await turn();
  }

  it('over its deadline is one warning, and is not run later', async () => {
    const { reports } = await heldUp();
    await pass(100);
    await goOn();
    expect(reports).toEqual([['warning', 'ERR_SINGLETON_CONNECTION_FAILED']]);
  });

  it('until the host gives up its endpoint is reset, although it has ended: an end would mean that it was taken', async () => {
    const { hold, reports, client } = await heldUp();
    hold.host?.visits.rejectUnfinished();
    await goOn();
    expect(client.wasReset).toBe(true);
    expect(reports).toEqual([['warning', 'ERR_SINGLETON_RELEASED']]);
  });
});

describe('maxConnections', () => {
  it('makes the oldest connection that is not complete give way to the next', async () => {
    const { transport, reports } = await listen({ maxConnections: 2 });
    const [first, second, third] = [transport.dial(), transport.dial(), transport.dial()];
    expect([first.wasReset, second.wasReset]).toEqual([true, false]);
    for (const client of [second, third]) {
      client.push('a\0');
      client.push(null);
    }
    await turn();
    expect(reports).toEqual([
      ['warning', 'ERR_SINGLETON_BUSY'],
      ['launched', ['a'], 2, undefined],
      ['launched', ['a'], 2, undefined],
    ]);
  });

  it('does not touch a connection whose launch is complete', async () => {
    const { transport, reports } = await listen({ maxConnections: 1 });
    const [complete] = [transport.dial()];
    complete.isStuck = true;
    complete.push('a\0');
    complete.push(null);
    await turn();
    const next = transport.dial();
    expect([complete.wasReset, next.wasReset]).toEqual([false, false]);
    expect(reports).toEqual([['launched', ['a'], 2, undefined]]);
    complete.destroy();
  });
});
