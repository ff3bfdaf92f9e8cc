import { EventEmitter, once } from 'node:events';
import { Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { legacy, type ListenOptions, Singleton, SingletonError } from '../../src/index.ts';
import { type Listener, resetConnection, type Transport } from '../../src/interface/transport.ts';
import { memory } from '../../src/transports/memory.ts';
import { recordEvents, launch, start, startHost } from '../helpers/host.ts';
import { ScriptedConnection, ScriptedTransport } from '../helpers/scripted-transport.ts';

/** A transport whose `listen` is settled by the test. */
function pending() {
  const bound = new EventEmitter();
  const listen = once(bound, 'listening').then(([listener]) => listener);
  const transport: Transport = { endpoint: 'pending://endpoint', listen: () => listen, connect: async () => undefined };
  const close = vi.fn<() => Promise<void>>(async () => {});
  return {
    transport,
    close,
    succeed: () => bound.emit('listening', { endpoint: 'late', close, ref() {}, unref() {} }),
  };
}

describe('Singleton', () => {
  it('emits a warning when the listener cannot be closed, and still resolves the release', async () => {
    const cause = new Error('unlink');
    const onStep = (step: string): void => {
      if (step === 'close') throw cause;
    };
    const app = await start(new Singleton({ transport: new ScriptedTransport({ onStep }), timeout: 5 }));
    const { order, warnings } = recordEvents(app);
    const warned = once(app, 'warning');
    await once(app, 'release');
    expect(await warned).toMatchObject([{ cause }]);
    expect(warnings).toEqual(['ERR_SINGLETON_CONNECTION_FAILED']);
    expect(order).toEqual(['timeout', 'warning', 'release timeout']);
  });

  it('rejects acquire() by the deadline when listen() does not settle, and closes a late listener', async () => {
    const { transport, close, succeed } = pending();
    const app = new Singleton({ transport, deliveryTimeout: 20 });
    await expect(app.acquire()).rejects.toMatchObject({ code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE' });
    succeed();
    await vi.waitFor(() => expect(close).toHaveBeenCalledOnce(), { timeout: 60_000 });
    expect(app.listening).toBe(false);
  });

  it('resolves a release although listen() does not settle', async () => {
    const { transport, close, succeed } = pending();
    const app = new Singleton({ transport });
    const acquiring = app.acquire().catch((error: unknown) => error);
    await app.release();
    expect(await acquiring).toMatchObject({ code: 'ERR_SINGLETON_RELEASED' });
    succeed();
    await vi.waitFor(() => expect(close).toHaveBeenCalledOnce(), { timeout: 60_000 });
  });

  it('resets a launch that arrives after acquire() was aborted, so that it tries again', async () => {
    const connection = new ScriptedConnection(() => {});
    const listener: Listener = { endpoint: 'scripted://endpoint', close: async () => {}, ref() {}, unref() {} };
    const transport: Transport = {
      endpoint: 'scripted://endpoint',
      async listen(accept) {
        await Promise.resolve();
        accept(connection);
        connection.push('a\0');
        connection.push(null);
        void app.release();
        return listener;
      },
      connect: async () => undefined,
    };
    const app = new Singleton({ transport });
    await expect(app.acquire()).rejects.toMatchObject({ code: 'ERR_SINGLETON_RELEASED' });
    await vi.waitFor(() => expect(connection.destroyed).toBe(true), { timeout: 60_000 });
    expect(connection.wasReset).toBe(true);
    expect(app.clients).toBe(0);
  });

  it('dispatches a launch to a listener that is added during its `client` event', async () => {
    const app = await startHost({ maxPending: 1 });
    const { warnings, args } = { warnings: [] as string[], args: [] as (readonly string[])[] };
    app.on('warning', ({ code }) => warnings.push(code));
    app.on('client', ({ number }) => {
      if (number === 2) app.on('args', (list) => args.push(list));
    });
    await launch(app, ['first']);
    await launch(app, ['second']);
    expect({ args, warnings }).toEqual({ args: [['first'], ['second']], warnings: [] });
  });

  it('prints the cause of a warning if verbose', async () => {
    const stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const app = await startHost({ verbose: true });
    app.trace(() => {
      throw new Error('of the observer');
    });
    await launch(app, ['a']);
    expect(stderr.mock.calls.join('')).toContain('ERR_SINGLETON_LISTENER_FAILED');
    expect(stderr.mock.calls.join('')).toContain('Cause: of the observer');
    stderr.mockRestore();
  });

  it('keeps the reason timeout when release() is called during the `timeout` event', async () => {
    const app = await startHost({ timeout: 5 });
    app.on('timeout', () => void app.release());
    expect(await once(app, 'release')).toEqual(['timeout']);
  });
});

describe('resetConnection', () => {
  it('destroys a connection whose reset fails', () => {
    const connection = Object.assign(new Duplex({ read() {} }), {
      resetAndDestroy(): void {
        throw new TypeError('not a TCP handle');
      },
    });
    resetConnection(connection);
    expect(connection.destroyed).toBe(true);
  });
});

/** An acquire() that has bound its endpoint, whose codec is slow to load. */
async function loading(close = async (): Promise<void> => {}) {
  const loaded: (() => void)[] = [];
  const codecLoaded = new Promise<void>((resolve) => loaded.push(resolve));
  const listened: ListenOptions[] = [];
  const transport: Transport = {
    endpoint: 'here',
    async listen(_, options) {
      listened.push(options);
      return { endpoint: 'here', close, ref() {}, unref() {} };
    },
    connect: async () => undefined,
  };
  const { protocol, ...rest } = legacy();
  const inbound: typeof protocol.inbound = (codecs) => codecLoaded.then(() => protocol.inbound(codecs));
  const app = new Singleton({ transport, codec: { ...rest, protocol: { ...protocol, inbound } } });
  const acquiring = app.acquire();
  acquiring.catch(() => {});
  while (listened.length === 0) await turn();
  return { app, acquiring, loaded: () => loaded[0]?.(), warn: listened[0]?.onWarning ?? expect.fail() };
}

describe('Singleton, while the host is loaded,', () => {
  it('emits a warning of the transport', async () => {
    const { app, acquiring, loaded, warn } = await loading();
    const warned = once(app, 'warning');
    warn(new SingletonError('ERR_SINGLETON_BUSY', 'Too many.'));
    expect(await warned).toMatchObject([{ code: 'ERR_SINGLETON_BUSY' }]);
    loaded();
    await acquiring;
    await app.release();
  });

  it('limits warnings, and reports how many were left out', async () => {
    const { app, acquiring, loaded, warn } = await loading();
    const warnings: string[] = [];
    app.on('warning', ({ message }) => warnings.push(message));
    for (let count = 0; count < 250; count += 1) warn(new SingletonError('ERR_SINGLETON_BUSY', 'Too many.'));
    loaded();
    await acquiring;
    await app.release();
    expect(warnings).toHaveLength(101);
    expect(warnings.at(-1)).toContain('150 more warnings');
  });

  it('resets the backlog when a `warning` listener aborts acquire(), so that those clients try again', async () => {
    const transport = new ScriptedTransport();
    const { protocol, ...rest } = legacy();
    const connectClient = (): ScriptedConnection => {
      const connection = transport.connectClient();
      connection.push('mine\0');
      connection.push(null);
      return connection;
    };
    const early: ScriptedConnection[] = [];
    const inbound: typeof protocol.inbound = async (codecs) => {
      early.push(connectClient(), transport.connectClient().destroy(), connectClient());
      while (!early[1]?.closed) await turn();
      return protocol.inbound(codecs);
    };
    const app = new Singleton({ transport, codec: { ...rest, protocol: { ...protocol, inbound } } });
    app.once('warning', () => void app.release());
    await expect(app.acquire()).rejects.toMatchObject({ code: 'ERR_SINGLETON_RELEASED' });
    expect(early.map(({ wasReset }) => wasReset)).toEqual([true, true, true]);
    expect(app.clients).toBe(0);
  });

  it('rejects when the endpoint is lost, and can acquire it again', async () => {
    const transport = new ScriptedTransport();
    const { protocol, ...rest } = legacy();
    let losses = 1;
    const inbound: typeof protocol.inbound = (codecs) => {
      if (losses-- > 0) transport.listening?.options.onLost();
      return protocol.inbound(codecs);
    };
    const app = new Singleton({ transport, codec: { ...rest, protocol: { ...protocol, inbound } } });
    const { order } = recordEvents(app);
    await expect(app.acquire()).rejects.toMatchObject({
      code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
      message: expect.stringContaining('acquire again'),
    });
    expect(order).toEqual([]);
    await app.acquire();
    expect(app.listening).toBe(true);
    await app.release();
  });

  it('emits a warning when the listener cannot be closed', async () => {
    const cause = new Error('unlink');
    const { app, acquiring } = await loading(() => Promise.reject(cause));
    const warned = once(app, 'warning');
    await app.release();
    await expect(acquiring).rejects.toMatchObject({ code: 'ERR_SINGLETON_RELEASED' });
    expect(await warned).toMatchObject([{ code: 'ERR_SINGLETON_CONNECTION_FAILED', cause }]);
  });

  it('ends earlier and later loops when acquire() is aborted', async () => {
    const { app, acquiring } = await loading();
    const next = app[Symbol.asyncIterator]().next();
    await app.release();
    await expect(acquiring).rejects.toMatchObject({ code: 'ERR_SINGLETON_RELEASED' });
    expect(await next).toEqual({ value: undefined, done: true });
    expect(await app[Symbol.asyncIterator]().next()).toEqual({ value: undefined, done: true });
  });

  it('does not apply deliveryTimeout', async () => {
    const app = await startHost({ deliveryTimeout: 1 });
    expect(app.listening).toBe(true);
  });

  it.each([
    ['rejects', (): Promise<never> => Promise.reject(new Error('boom')), { message: 'boom' }],
    ['resolves to nothing', (): Promise<undefined> => Promise.resolve(undefined), undefined],
  ])('refuses a codec whose inbound() %s, and frees the endpoint', async (_, load, cause) => {
    const transport = memory().transport('endpoint');
    const protocol = { ...legacy().protocol, inbound: load };
    const options = { transport, codec: { name: 'mine', protocol }, args: [] };
    // A caller in JavaScript may pass what the types refuse.
    for (const schema of [undefined, z.array(z.string())]) {
      const app: Singleton = Reflect.construct(Singleton, [{ ...options, schema }]);
      await expect(app.acquire()).rejects.toMatchObject({ code: 'ERR_SINGLETON_INVALID_OPTION' });
    }
    const app: Singleton = Reflect.construct(Singleton, [options]);
    const refused = { code: 'ERR_SINGLETON_INVALID_OPTION', message: expect.stringContaining('"mine"'), cause };
    await expect(app.acquire()).rejects.toMatchObject(refused);
    await start(new Singleton({ transport }));
  });
});
