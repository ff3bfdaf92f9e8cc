import { describe, expect, it, onTestFinished } from 'vitest';
import { json } from '../../src/codecs/json.ts';
import { type Receipt, Singleton, SingletonError, tcp, type Transport } from '../../src/index.ts';
import { memory } from '../../src/transports/memory.ts';
import { pipe } from '../../src/transports/pipe.ts';
import { systemd } from '../../src/transports/systemd.ts';

/** An endpoint in memory to which a launch connects first, and the calls of the transport. */
function recorded(options: Partial<Transport> = {}) {
  const transport = memory().transport('endpoint');
  const calls: string[] = [];
  const recording: Transport = {
    ...transport,
    // Not that of the host in this process, to which it would not connect.
    endpoint: 'the same, by another name',
    connectFirst: true,
    listen(...args) {
      calls.push('listen');
      return transport.listen(...args);
    },
    connect(...args) {
      calls.push('connect');
      return transport.connect(...args);
    },
    ...options,
  };
  return { calls, transport: recording, plain: transport };
}

async function start(transport: Transport): Promise<Singleton> {
  const app = await Singleton.acquire({ transport, args: [] });
  onTestFinished(() => app.release());
  return app;
}

/** How a launch in this process ends whose endpoint a Singleton of this process holds. */
async function launch(transport: Transport, options: object = {}): Promise<Receipt | undefined> {
  const acquiring = Singleton.acquire({ transport, args: ['a'], strict: false, ...options });
  return acquiring.then(
    () => undefined,
    (error: unknown) => Object(error).receipt,
  );
}

describe('a launch, at an endpoint to which it connects first,', () => {
  it('does not bind if there is a host', async () => {
    const { calls, transport, plain } = recorded();
    await start(plain);
    expect(await launch(transport)).toMatchObject({ outcome: 'unconfirmed' });
    expect(calls).toEqual(['connect']);
  });

  it('binds at once if there is none', async () => {
    const { calls, transport } = recorded();
    await start(transport);
    expect(calls).toEqual(['connect', 'listen']);
  });

  it('becomes the host although its own arguments cannot be sent', async () => {
    const { calls, transport } = recorded();
    const app = await Singleton.acquire({ transport, args: ['x'.repeat(99)], maxMessageBytes: 9 });
    await app.release();
    expect(calls).toEqual(['listen']);
  });

  it('binds if the connect fails, so that the error is that of the bind', async () => {
    const cause = new SingletonError('ERR_SINGLETON_ENDPOINT_UNAVAILABLE', 'no such address');
    const refused = new SingletonError('ERR_SINGLETON_CONNECTION_FAILED', 'connect EADDRNOTAVAIL');
    const { transport } = recorded({ connect: () => Promise.reject(refused), listen: () => Promise.reject(cause) });
    await expect(Singleton.acquire({ transport, args: [] })).rejects.toBe(cause);
  });

  it('does not resend what may have run', async () => {
    const network = memory();
    const plain = network.transport('endpoint');
    const calls: string[] = [];
    const transport: Transport = {
      ...plain,
      endpoint: 'another name',
      connectFirst: true,
      listen: async () => {
        calls.push('listen');
        return undefined;
      },
    };
    const app = await Singleton.acquire({ transport: plain, codec: json<string[]>(), args: [] });
    onTestFinished(() => app.release());
    app.on('client', () => network.crash('endpoint'));
    const launched = Singleton.acquire({ transport, codec: json<string[]>(), args: ['a'] });
    await expect(launched).rejects.toMatchObject({ code: 'ERR_SINGLETON_CONNECTION_FAILED' });
    expect([calls, app.clients]).toEqual([['listen'], 1]);
  });

  it.each([
    ['client: false, which connects to no host', { client: false }],
    [
      'a schema, which may take long',
      { schema: { '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ value }) } } },
    ],
    ['standby', { standby: 1 }],
  ])('binds first with %s', async (_, options) => {
    const { calls, transport, plain } = recorded();
    await start(plain);
    await launch(transport, options);
    expect(calls[0]).toBe('listen');
  });

  it('is refused by a process that is the host itself', async () => {
    const { calls, transport, plain } = recorded({ endpoint: 'memory://endpoint' });
    await start(plain);
    const again = Singleton.acquire({ transport, args: [] });
    await expect(again).rejects.toMatchObject({ code: 'ERR_SINGLETON_ALREADY_RUNNING' });
    expect(calls).toEqual(['listen']);
  });
});

describe('connectFirst', () => {
  it.each([
    ['127.0.0.1', true],
    ['127.1.2.3', true],
    ['::1', true],
    ['0.0.0.0', false],
    ['::', false],
    ['10.0.0.1', false],
    ['localhost', false],
    ['127.evil.example', false],
  ])('of tcp() at %s is %s', (address, isFirst) => {
    expect(tcp({ address, port: 21_337 }).connectFirst).toBe(isFirst);
  });

  it('is false for a port that the system chooses', () => {
    expect(tcp({ port: 0 }).connectFirst).toBe(false);
  });

  it.runIf(process.platform !== 'win32')('is true for a Unix socket', () => {
    expect(pipe({ path: '/tmp/socket' }).connectFirst).toBe(true);
  });

  it('is missing with systemd(), whose socket accepts connections before there is a host', () => {
    expect(systemd({ transport: tcp({ port: 21_337 }) }).connectFirst).toBeUndefined();
  });
});
