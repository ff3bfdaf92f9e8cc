import { once } from 'node:events';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { json } from '../../src/codecs/json.ts';
import { legacy } from '../../src/codecs/legacy.ts';
import { type Codec, generateSecret, type Receipt, Singleton, type Transport } from '../../src/index.ts';
import { memory, type MemoryNetwork } from '../../src/transports/memory.ts';
import { waitForClose } from '../helpers/host.ts';

const ENDPOINT = 'etcd:acme/editor';
type Args = readonly string[];

/** A host on an endpoint that it holds for a time, as with a lease. */
async function startLeased(options: { allowReplace?: boolean; codec?: Codec<Args, any> } = {}) {
  const network = memory({ lease: true });
  const transport = network.transport(ENDPOINT);
  const app = new Singleton({ transport, codec: json<Args>(), args: ['own'], ...options });
  onTestFinished(() => app.release());
  await app.acquire();
  const warnings: string[] = [];
  const reasons: string[] = [];
  app.on('warning', ({ code }) => warnings.push(code)).on('release', (reason) => reasons.push(reason));
  return { app, network, transport, warnings, reasons };
}

function send(network: MemoryNetwork, args: Args, options: object = {}): Promise<Receipt> {
  return Singleton.send({ transport: network.transport(ENDPOINT), codec: json<Args>(), args, ...options });
}

/** A second host, which holds the endpoint from now on. */
async function startNext(network: MemoryNetwork) {
  const next = new Singleton({ transport: network.transport(ENDPOINT), codec: json<Args>(), args: [] });
  const runs: string[] = [];
  next.on('args', ([name = '']) => runs.push(name));
  onTestFinished(() => next.release());
  await next.acquire();
  return { next, runs };
}

describe('a launch that is complete when isHeld() is false', () => {
  it('is neither dispatched nor counted, and its client goes to the next host', async () => {
    const { app, network, reasons } = await startLeased();
    app.on('args', () => {});
    network.freeze(ENDPOINT);
    const sending = send(network, ['a'], { deliveryTimeout: 60_000 });
    // The connection belongs to the first host, as that of a launch whose bytes have arrived at a paused machine.
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    network.expire(ENDPOINT);
    const { runs } = await startNext(network);
    network.unfreeze(ENDPOINT);
    expect(await sending).toMatchObject({ outcome: 'delivered', host: { token: 2 } });
    await app.release();
    expect([runs, app.clients, app.arguments]).toEqual([['a'], 0, []]);
    expect(reasons).toEqual(['lost']);
  });

  it('is refused so that it may be tried again, whatever codec it has', async () => {
    const { app, network } = await startLeased({ codec: legacy() });
    const dispatched: unknown[] = [];
    app.on('args', (args) => dispatched.push(args));
    const connection = await network.transport(ENDPOINT).connect({ signal: new AbortController().signal });
    network.expire(ENDPOINT);
    const closing = waitForClose((connection ?? expect.fail()).on('error', () => {}).resume());
    connection?.end('legacy\0');
    expect([await closing, dispatched, app.clients]).toEqual(['reset', [], 0]);
  });
});

describe('a host whose lease has expired', () => {
  it('dispatches nothing that waits for a listener, and reports it once', async () => {
    const { app, network, warnings } = await startLeased();
    await send(network, ['a']);
    await send(network, ['b']);
    expect(app.arguments).toEqual([['a'], ['b']]);
    network.expire(ENDPOINT);
    const released = once(app, 'release');
    const runs: unknown[] = [];
    app.on('args', (args) => runs.push(args));
    expect(await released).toEqual(['lost']);
    expect([runs, app.arguments]).toEqual([[], [['a'], ['b']]]);
    expect(warnings).toEqual(['ERR_SINGLETON_RELEASED']);
  });

  it('ends a loop after the launch that it works on, although others wait', async () => {
    const { app, network } = await startLeased();
    await send(network, ['a']);
    await send(network, ['b']);
    const runs: string[] = [];
    for await (const { args } of app) {
      runs.push(args[0] ?? '');
      network.expire(ENDPOINT);
    }
    await app.release();
    expect([runs, app.arguments]).toEqual([['a'], [['b']]]);
  });

  it('gives a handler no further launch', async () => {
    const { app, network } = await startLeased();
    const runs: string[] = [];
    app.handle(
      ([name = '']) => {
        runs.push(name);
        network.expire(ENDPOINT);
      },
      { concurrency: 1 },
    );
    const lost = once(app, 'release');
    await Promise.all(
      [send(network, ['a']), send(network, ['b'], { deliveryTimeout: 1000 })].map((sent) => sent.catch(() => {})),
    );
    await lost;
    expect(runs).toEqual(['a']);
  });

  it('ends the sessions of launches that wait, and aborts their signals and app.held', async () => {
    const { app, network } = await startLeased();
    const aborted: string[] = [];
    app.held.addEventListener('abort', () => aborted.push('held'));
    const working = new Promise<void>((resolve) =>
      app.on('args', (_, { signal }) => {
        resolve();
        return once(signal, 'abort').then(() => aborted.push('signal'));
      }),
    );
    const waiting = send(network, ['a'], { wait: true });
    await working;
    expect([app.token, app.held.aborted]).toEqual([1, false]);
    network.steal(ENDPOINT);
    await expect(waiting).rejects.toMatchObject({ code: 'ERR_SINGLETON_RELEASED' });
    await app.release();
    expect(aborted).toEqual(['held', 'signal']);
  });

  it('removes a launch that waits for a listener and its result, without a warning for each', async () => {
    const { app, network, warnings } = await startLeased();
    const waiting = send(network, ['a'], { wait: true });
    while (app.arguments.length === 0) await new Promise((resolve) => setImmediate(resolve));
    network.steal(ENDPOINT);
    await expect(waiting).rejects.toMatchObject({ code: 'ERR_SINGLETON_RELEASED' });
    await app.release();
    expect([app.arguments, warnings]).toEqual([[], []]);
  });

  it('refuses to be replaced', async () => {
    const { app, network } = await startLeased({ allowReplace: true });
    const connection = network.transport(ENDPOINT);
    const first = { ...connection, listen: async () => undefined };
    network.freeze(ENDPOINT);
    const replacing = new Singleton({
      transport: first,
      codec: json<Args>(),
      args: [],
      replace: () => true,
      strict: false,
      deliveryTimeout: 2000,
    });
    const acquiring = replacing.acquire().catch((error: unknown) => error);
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    network.expire(ENDPOINT);
    network.unfreeze(ENDPOINT);
    expect(await once(app, 'release')).toEqual(['lost']);
    await replacing.release();
    await acquiring;
  });
});

describe('a host that is lost', () => {
  it('reports it although a client does not close', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const { app, network, transport } = await startLeased();
    // It does not read, and so never sees that the host has ended.
    const connection = await transport.connect({ signal: new AbortController().signal });
    onTestFinished(() => void connection?.destroy());
    const working = once(app, 'args');
    send(network, ['a'], { wait: true }).catch(() => {});
    await working;
    network.freeze(ENDPOINT);
    network.steal(ENDPOINT);
    expect(await once(app, 'release')).toEqual(['lost']);
    network.unfreeze(ENDPOINT);
    vi.runAllTimers();
  });
});

describe('the token of a host', () => {
  it('is in the receipt and in the status, and grows with each host', async () => {
    const { app, network, transport } = await startLeased();
    app.on('args', () => {});
    expect(await send(network, ['a'])).toMatchObject({ host: { token: 1 } });
    expect(await Singleton.status({ transport, codec: json() })).toMatchObject({ token: 1 });
    network.expire(ENDPOINT);
    const { next } = await startNext(network);
    expect([app.token, next.token]).toEqual([1, 2]);
  });

  it('must be the one that a client has looked up, else the launch is not dispatched', async () => {
    const { app, transport, warnings } = await startLeased();
    const runs: Args[] = [];
    app.on('args', (args) => runs.push(args));
    let token = 7;
    const stale: Transport = {
      ...transport,
      async connect(options) {
        const connection = await transport.connect(options);
        const looked = connection && Object.assign(connection, { token });
        token = 1;
        return looked;
      },
    };
    const receipt = await Singleton.send({ transport: stale, codec: json<Args>(), args: ['a'] });
    expect([receipt.outcome, runs, app.clients]).toEqual(['delivered', [['a']], 1]);
    expect(warnings).toEqual(['ERR_SINGLETON_RELEASED']);
  });

  it('must be the one that a client has looked up, else the host is neither asked nor replaced', async () => {
    const { app, transport } = await startLeased({ allowReplace: true });
    let lookups = 0;
    // As if the key of another endpoint still had the address of this host, until the third look.
    const stale: Transport = {
      ...transport,
      endpoint: 'another key',
      listen: async () => undefined,
      async connect(options) {
        lookups += 1;
        const connection = lookups < 3 ? await transport.connect(options) : undefined;
        return connection && Object.assign(connection, { token: 7 });
      },
    };
    expect(await Singleton.status({ transport: stale, codec: json() })).toBeUndefined();
    lookups = 0;
    const options = { transport: stale, codec: json<Args>(), args: ['a'], replace: () => true, deliveryTimeout: 300 };
    await expect(Singleton.acquire(options)).rejects.toMatchObject({ code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE' });
    expect([app.listening, app.clients]).toEqual([true, 0]);
  });

  it('decides which host is replaced, because clocks of machines differ', async () => {
    const { app, network, reasons } = await startLeased({ allowReplace: true });
    const clock = vi.spyOn(Date, 'now').mockReturnValue(0);
    onTestFinished(() => clock.mockRestore());
    const transport = { ...network.transport(ENDPOINT), endpoint: 'the same, by another name' };
    const options = { transport, codec: json<Args>(), args: ['a'], replace: true };
    const next = await Singleton.acquire(options);
    onTestFinished(() => next.release());
    expect([next.listening, next.token, app.listening, reasons]).toEqual([true, 2, false, ['replaced']]);
  });

  it('does not count for the size of a launch, which the host alone refuses then', async () => {
    const { app, network } = await startLeased();
    app.on('args', () => {});
    const codes = new Set<unknown>();
    for (let length = 250; length < 360; length += 1) {
      const sent = send(network, ['x'.repeat(length)], { maxMessageBytes: 360 });
      codes.add(
        await sent.then(
          () => 'sent',
          ({ code }) => code,
        ),
      );
    }
    expect(codes).toEqual(new Set(['sent', 'ERR_SINGLETON_MESSAGE_TOO_LARGE']));
  });

  it('comes with the address where the host can be reached', async () => {
    const network = memory();
    const plain = network.transport(ENDPOINT);
    const transport: Transport = {
      ...plain,
      async listen(onConnection, options) {
        const listener = await plain.listen(onConnection, options);
        return listener && { ...listener, address: 'tcp://10.1.2.3:7001' };
      },
    };
    const app = await Singleton.acquire({ transport, codec: json<Args>(), args: [] });
    app.on('args', () => {});
    const receipt = await send(network, ['a']);
    expect([app.address, receipt.host?.address]).toEqual(['tcp://10.1.2.3:7001', 'tcp://10.1.2.3:7001']);
    await app.release();
  });
});

function untouched(): never {
  return expect.fail('The transport was used.');
}

const NETWORK: Transport = {
  endpoint: ENDPOINT,
  reach: 'network',
  takeoverTime: 15_000,
  listen: untouched,
  connect: untouched,
};
const SECRET = generateSecret();

function shown(options: object): string {
  return String(new Singleton({ transport: NETWORK, codec: json<Args>(), args: [], secret: SECRET, ...options }));
}

describe('a transport that other machines can reach', () => {
  it('needs a secret', () => {
    expect(() => new Singleton({ transport: NETWORK, codec: json<Args>(), args: [] })).toThrow(
      expect.objectContaining({ code: 'ERR_SINGLETON_INVALID_OPTION', message: expect.stringContaining(ENDPOINT) }),
    );
  });

  it('refuses legacy(), also as the second codec', () => {
    expect(() => new Singleton({ transport: NETWORK, args: [], secret: SECRET })).toThrow(/Option "codec"/);
    const codec = [json<Args>(), legacy()] as const;
    expect(() => new Singleton({ transport: NETWORK, codec: [...codec], args: [], secret: SECRET })).toThrow(
      /Option "codec"/,
    );
  });

  it('has time for a takeover in its default deadline, unless another one is given', () => {
    expect(shown({})).toContain('deliveryTimeout: 15000');
    expect(shown({ deliveryTimeout: 20 })).toContain('deliveryTimeout: 20');
  });

  it('has its advice and its last failure in the error at the deadline', async () => {
    const refused = new Error('connect ECONNREFUSED 10.0.0.1:2379');
    const unreachable: Transport = {
      ...NETWORK,
      advice: 'Check that etcd is running.',
      async listen(_, { onRetry, signal }) {
        onRetry?.(refused);
        await once(signal ?? expect.fail(), 'abort');
        throw refused;
      },
    };
    const options = { transport: unreachable, codec: json<Args>(), args: [], secret: SECRET, deliveryTimeout: 20 };
    await expect(Singleton.acquire(options)).rejects.toMatchObject({
      code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
      message: expect.stringMatching(/^Could not bind etcd:acme\/editor .* Check that etcd is running\.$/),
      cause: refused,
    });
  });
});

describe('a launch that has not connected to the host of a lease by its deadline', () => {
  const transport: Transport = {
    ...memory().transport(ENDPOINT),
    takeoverTime: 15_000,
    advice: 'Look at the store.',
    listen: async () => undefined,
    connect: ({ signal, onRetry }) =>
      new Promise((_, reject) => {
        onRetry?.(new Error('the host cannot be reached'));
        signal.addEventListener('abort', () => reject(signal.reason));
      }),
  };
  const options = { transport, codec: json<Args>(), args: ['a'], deliveryTimeout: 100 };
  const error = {
    code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
    message: expect.stringMatching(/Look at the store\.$/),
    cause: { message: 'the host cannot be reached' },
  };

  it('fails with the advice of the transport and the last failure', async () => {
    await expect(Singleton.send(options)).rejects.toMatchObject(error);
    await expect(Singleton.acquire({ ...options, strict: false })).rejects.toMatchObject(error);
  });
});
