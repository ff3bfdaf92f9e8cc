import { getEventListeners } from 'node:events';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { send } from '../../src/core/acquire.ts';
import { Deadline, followSignal, LazyAbortController } from '../../src/core/deadline.ts';
import type { DeliveryOptions } from '../../src/core/options/options.ts';
import type { ResolvedOptions } from '../../src/core/options/resolved-options.ts';
import { resolveOptions } from '../../src/core/options/resolve-options.ts';
import { attempt, prepare } from '../../src/core/attempt.ts';
import { type SendOptions, Singleton } from '../../src/index.ts';
import { SingletonError } from '../../src/interface/errors.ts';
import { twoTurns } from '../../src/interface/timers.ts';
import { at, type ConnectAnswer, ScriptedTransport } from '../helpers/scripted-transport.ts';

type Strings = readonly string[];

function optionsFor(
  transport: ScriptedTransport,
  options: DeliveryOptions<Strings> & { args?: Strings } = {},
): ResolvedOptions<Strings> {
  return resolveOptions<Strings>({ transport, args: ['a'], ...options });
}

const endpoint = (connect: ConnectAnswer): ScriptedTransport => new ScriptedTransport({ connect: [connect] });

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe('send', () => {
  it('delivers and never binds the endpoint', async () => {
    const transport = endpoint('host');
    expect(await send(optionsFor(transport))).toEqual({ outcome: 'unconfirmed' });
    expect(transport.steps).toEqual(['connect', 'deliver']);
    expect(transport.connections).toMatchObject([{ received: 'a\0' }]);
  });

  it('sends the secret before the arguments', async () => {
    const transport = endpoint('host');
    await send(optionsFor(transport, { secret: 's', args: [] }));
    expect(transport.connections).toMatchObject([{ received: 's\0' }]);
  });

  it('rejects with NO_HOST after one attempt when there is no host', async () => {
    const transport = endpoint('no-host');
    await expect(send(optionsFor(transport))).rejects.toMatchObject({
      code: 'ERR_SINGLETON_NO_HOST',
      message: expect.stringContaining('scripted://endpoint'),
    });
    expect(transport.steps.filter((step) => step === 'connect')).toHaveLength(1);
  });

  it('tries a host that resets again, until it accepts the launch', async () => {
    const transport = new ScriptedTransport({ connect: ['reset', 'reset', 'host'] });
    expect(await send(optionsFor(transport))).toEqual({ outcome: 'unconfirmed' });
    expect(transport.steps.filter((step) => step === 'connect')).toHaveLength(3);
  });

  it('rejects with HOST_UNRESPONSIVE when the host resets until the deadline', async () => {
    const transport = endpoint('reset');
    await expect(send(optionsFor(transport, { deliveryTimeout: 300 }))).rejects.toMatchObject({
      code: 'ERR_SINGLETON_HOST_UNRESPONSIVE',
    });
  });

  it.each([0, 0.5, 1])('uses all of its deadline when the host resets, with a jitter of %d', async (jitter) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    vi.spyOn(Math, 'random').mockReturnValue(jitter);
    const settled = vi.fn<(error: unknown) => void>();
    send(optionsFor(endpoint('reset'), { deliveryTimeout: 500 })).catch(settled);
    for (let elapsed = 0; elapsed < 500; elapsed += 1) {
      await twoTurns();
      await twoTurns();
      expect(settled).not.toHaveBeenCalled();
      await vi.advanceTimersByTimeAsync(1);
    }
    await twoTurns();
    expect(settled).toHaveBeenCalledExactlyOnceWith(
      expect.objectContaining({ code: 'ERR_SINGLETON_HOST_UNRESPONSIVE' }),
    );
  });

  it('rejects at once when it is aborted in the pause between two attempts', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const controller = new AbortController();
    const sending = send(optionsFor(endpoint('reset'), { signal: controller.signal })).catch((error: unknown) => error);
    while (vi.getTimerCount() < 2) await twoTurns();
    controller.abort();
    expect(await sending).toMatchObject({ code: 'ERR_SINGLETON_RELEASED' });
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each(['silent', 'hanging'] as const)(
    'rejects with HOST_UNRESPONSIVE when the host is %s until the deadline',
    async (answer) => {
      const transport = endpoint(answer);
      await expect(send(optionsFor(transport, { deliveryTimeout: 200 }))).rejects.toMatchObject({
        code: 'ERR_SINGLETON_HOST_UNRESPONSIVE',
      });
      expect(transport.connections.every(({ wasReset }) => wasReset)).toBe(true);
    },
  );

  it('rejects with FOREIGN_HOST when the host sends a greeting', async () => {
    await expect(send(optionsFor(endpoint('foreign')))).rejects.toMatchObject({ code: 'ERR_SINGLETON_FOREIGN_HOST' });
  });

  it('refuses arguments that cannot be encoded before it connects', async () => {
    const transport = endpoint('host');
    await expect(send(optionsFor(transport, { args: ['\0'] }))).rejects.toMatchObject({
      code: 'ERR_SINGLETON_UNENCODABLE',
    });
    expect(transport.steps).toEqual([]);
  });

  it('rejects with RELEASED without a step when the signal was aborted before', async () => {
    const transport = endpoint('host');
    const signal = AbortSignal.abort('enough');
    await expect(send(optionsFor(transport, { signal }))).rejects.toMatchObject({
      code: 'ERR_SINGLETON_RELEASED',
      cause: 'enough',
    });
    expect(transport.steps).toEqual([]);
  });

  it.each([
    ['connect', 'hanging'],
    ['deliver', 'silent'],
  ] as const)(
    'rejects with RELEASED and the reason as the cause when it is aborted at the %s',
    async (step, answer) => {
      const controller = new AbortController();
      const onStep = at(step, () => controller.abort('enough'));
      const transport = new ScriptedTransport({ connect: [answer], onStep });
      await expect(send(optionsFor(transport, { signal: controller.signal }))).rejects.toMatchObject({
        code: 'ERR_SINGLETON_RELEASED',
        cause: 'enough',
      });
      expect(transport.connections.every(({ wasReset }) => wasReset)).toBe(true);
      expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
    },
  );

  it.each(['host', 'no-host', 'foreign'] as const)('leaves no timer and no listener after %s', async (answer) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { signal } = new AbortController();
    await send(optionsFor(endpoint(answer), { signal })).catch(() => {});
    expect(vi.getTimerCount()).toBe(0);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });
});

/** Never expires by itself. */
function deadlineOf(signal?: AbortSignal): Deadline {
  const lifetime = new LazyAbortController();
  followSignal(lifetime, signal);
  return new Deadline(Infinity, () => new SingletonError('ERR_SINGLETON_NO_HOST', 'Infinity has expired.'), lifetime);
}

const never = (): boolean => false;

describe('attempt', () => {
  const deadline = deadlineOf();

  it.each([
    ['no-host', 'no-host'],
    ['reset', 'reset'],
  ] as const)('resolves for the answer "%s" to the reason "%s"', async (answer, why) => {
    const transport = endpoint(answer);
    expect(await attempt(transport, prepare(optionsFor(transport), never), deadline, () => {})).toBe(why);
  });

  it('closes a connection that the protocol left open', async () => {
    const transport = endpoint('silent');
    const delivery = { receipt: { outcome: 'delivered' } } as const;
    expect(
      await attempt(
        transport,
        async () => delivery,
        deadline,
        () => {},
      ),
    ).toBe(delivery);
    expect(transport.connections).toMatchObject([{ destroyed: true }]);
  });

  it('closes the connection when the protocol fails, and rejects with its error', async () => {
    const transport = endpoint('silent');
    const boom = new Error('boom');
    await expect(
      attempt(
        transport,
        () => Promise.reject(boom),
        deadline,
        () => {},
      ),
    ).rejects.toBe(boom);
    expect(transport.connections).toMatchObject([{ destroyed: true }]);
  });

  it('ignores an error of the connection after the delivery', async () => {
    const transport = endpoint('silent');
    await attempt(
      transport,
      async () => undefined,
      deadline,
      () => {},
    );
    const [connection] = transport.connections;
    expect(connection?.emit('error', new Error('late'))).toBe(true);
  });

  it('rejects with the reason of an abort, whatever error the protocol has for its reset connection', async () => {
    const transport = endpoint('silent');
    const controller = new AbortController();
    const delivery = attempt(
      transport,
      (connection) => {
        queueMicrotask(() => controller.abort('enough'));
        return new Promise<never>((_, reject) => connection.once('close', () => reject(new Error('cut'))));
      },
      deadlineOf(controller.signal),
      () => {},
    );
    await expect(delivery).rejects.toMatchObject({ code: 'ERR_SINGLETON_RELEASED', cause: 'enough' });
  });

  it('rejects when it is aborted as the connection is created, although the transport did not see the abort', async () => {
    const transport = endpoint('silent');
    const controller = new AbortController();
    const connect = transport.connect.bind(transport);
    vi.spyOn(transport, 'connect').mockImplementation(async (options) => {
      const connection = await connect(options);
      controller.abort('enough');
      return connection;
    });
    const delivery = attempt(transport, prepare(optionsFor(transport), never), deadlineOf(controller.signal), () => {});
    await expect(delivery).rejects.toMatchObject({ code: 'ERR_SINGLETON_RELEASED', cause: 'enough' });
    expect(transport.connections).toMatchObject([{ destroyed: true }]);
  }, 2000);

  it('leaves no callback', async () => {
    const transport = endpoint('host');
    const controller = new AbortController();
    const own = deadlineOf(controller.signal);
    await attempt(transport, prepare(optionsFor(transport), never), own, () => {});
    const [connection] = transport.connections;
    controller.abort();
    expect(connection?.wasReset).toBe(false);
  });
});

describe('prepare', () => {
  it('passes the arguments, the directory and the process to the codec', () => {
    const options = optionsFor(endpoint('host'));
    const spy = vi.spyOn(options.codec.protocol, 'outbound');
    prepare(options, never);
    expect(spy).toHaveBeenCalledExactlyOnceWith(
      { args: ['a'], cwd: process.cwd(), pid: process.pid, wait: false, version: undefined, env: {} },
      { name: '', secret: undefined, maxMessageBytes: options.maxMessageBytes, replace: undefined },
    );
  });
});

describe('Singleton.send', () => {
  it('ignores an option of acquire, client: false', async () => {
    const options: SendOptions = Object.assign({ transport: endpoint('no-host'), args: ['a'] }, { client: false });
    await expect(Singleton.send(options)).rejects.toMatchObject({ code: 'ERR_SINGLETON_NO_HOST' });
  });
});
