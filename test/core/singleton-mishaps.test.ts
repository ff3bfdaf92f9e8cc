import { EventEmitter, once } from 'node:events';
import { Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import { z } from 'zod';
import { legacy, type ListenOptions, Singleton, SingletonError } from '../../src/index.ts';
import { type Listener, resetConnection, type Transport } from '../../src/interface/transport.ts';
import { memory } from '../../src/transports/memory.ts';
import { hear, launch, start, startHost } from '../helpers/host.ts';
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

it('an endpoint that cannot be freed is a warning, and the release ends all the same', async () => {
  const cause = new Error('unlink');
  const onStep = (step: string): void => {
    if (step === 'close') throw cause;
  };
  const app = await start(new Singleton({ transport: new ScriptedTransport({ onStep }), timeout: 5 }));
  const { order, warnings } = hear(app);
  const warned = once(app, 'warning');
  await once(app, 'release');
  expect(await warned).toMatchObject([{ cause }]);
  expect(warnings).toEqual(['ERR_SINGLETON_CONNECTION_FAILED']);
  expect(order).toEqual(['timeout', 'warning', 'release timeout']);
});

it('a listen that does not come back ends by the deadline, and a late endpoint is given back', async () => {
  const { transport, close, succeed } = pending();
  const app = new Singleton({ transport, deliveryTimeout: 20 });
  await expect(app.acquire()).rejects.toMatchObject({ code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE' });
  succeed();
  await vi.waitFor(() => expect(close).toHaveBeenCalledOnce());
  expect(app.listening).toBe(false);
});

it('a release does not wait for a listen that does not come back', async () => {
  const { transport, close, succeed } = pending();
  const app = new Singleton({ transport });
  const claiming = app.acquire().catch((error: unknown) => error);
  await app.release();
  expect(await claiming).toMatchObject({ code: 'ERR_SINGLETON_RELEASED' });
  succeed();
  await vi.waitFor(() => expect(close).toHaveBeenCalledOnce());
});

it('a launch that comes to a claim that is given up is reset, so that it claims the endpoint itself', async () => {
  const connection = new ScriptedConnection(() => {});
  const listener: Listener = { endpoint: 'given up', close: async () => {}, ref() {}, unref() {} };
  const transport: Transport = {
    endpoint: 'given up',
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
  await vi.waitFor(() => expect(connection.destroyed).toBe(true));
  expect(connection.wasReset).toBe(true);
  expect(app.clients).toBe(0);
});

it('a listener that comes within the `client` event of a launch makes room for it', async () => {
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

it('verbose prints the cause of a warning', async () => {
  const stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  const app = await startHost({ verbose: true });
  app.trace(() => {
    throw new Error('of the observer');
  });
  await launch(app, ['a']);
  expect(stderr.mock.calls.join('')).toContain('ERR_SINGLETON_OBSERVER_FAILED');
  expect(stderr.mock.calls.join('')).toContain('Cause: of the observer');
  stderr.mockRestore();
});

it('a release within the `timeout` event leaves the reason a timeout', async () => {
  const app = await startHost({ timeout: 5 });
  app.on('timeout', () => void app.release());
  expect(await once(app, 'release')).toEqual(['timeout']);
});

it('a connection that has a reset and cannot use it is destroyed', () => {
  const connection = Object.assign(new Duplex({ read() {} }), {
    resetAndDestroy(): void {
      throw new TypeError('not a TCP handle');
    },
  });
  resetConnection(connection);
  expect(connection.destroyed).toBe(true);
});

/** A claim that has its endpoint, whose codec takes its time to load. */
async function loading(close = async (): Promise<void> => {}) {
  const loaded: (() => void)[] = [];
  const opening = new Promise<void>((resolve) => loaded.push(resolve));
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
  const inbound = async (): ReturnType<typeof protocol.inbound> => opening.then(() => protocol.inbound());
  const app = new Singleton({ transport, codec: { ...rest, protocol: { ...protocol, inbound } } });
  const claiming = app.acquire();
  claiming.catch(() => {});
  while (listened.length === 0) await turn();
  return { app, claiming, loaded: () => loaded[0]?.(), warn: listened[0]?.onWarning ?? expect.fail() };
}

it('what the transport warns of while the host is loaded is a warning', async () => {
  const { app, claiming, loaded, warn } = await loading();
  const warned = once(app, 'warning');
  warn(new SingletonError('ERR_SINGLETON_BUSY', 'Too many.'));
  expect(await warned).toMatchObject([{ code: 'ERR_SINGLETON_BUSY' }]);
  loaded();
  await claiming;
  await app.release();
});

it('a flood of warnings without a host is cut short, and its number told', async () => {
  const { app, claiming, loaded, warn } = await loading();
  const warnings: string[] = [];
  app.on('warning', ({ message }) => warnings.push(message));
  for (let count = 0; count < 250; count += 1) warn(new SingletonError('ERR_SINGLETON_BUSY', 'Too many.'));
  loaded();
  await claiming;
  await app.release();
  expect(warnings).toHaveLength(101);
  expect(warnings.at(-1)).toContain('150 more warnings');
});

it('who came early to a claim that a listener of `warning` gives up is reset, so that it claims the endpoint itself', async () => {
  const transport = new ScriptedTransport();
  const { protocol, ...rest } = legacy();
  const dial = (): ScriptedConnection => {
    const connection = transport.dial();
    connection.push('mine\0');
    connection.push(null);
    return connection;
  };
  const early: ScriptedConnection[] = [];
  const inbound = async (): ReturnType<typeof protocol.inbound> => {
    early.push(dial(), transport.dial().destroy(), dial());
    while (!early[1]?.closed) await turn();
    return protocol.inbound();
  };
  const app = new Singleton({ transport, codec: { ...rest, protocol: { ...protocol, inbound } } });
  app.once('warning', () => void app.release());
  await expect(app.acquire()).rejects.toMatchObject({ code: 'ERR_SINGLETON_RELEASED' });
  expect(early.map(({ wasReset }) => wasReset)).toEqual([true, true, true]);
  expect(app.clients).toBe(0);
});

it('an endpoint that cannot be freed while the host is loaded is a warning', async () => {
  const cause = new Error('unlink');
  const { app, claiming } = await loading(() => Promise.reject(cause));
  const warned = once(app, 'warning');
  await app.release();
  await expect(claiming).rejects.toMatchObject({ code: 'ERR_SINGLETON_RELEASED' });
  expect(await warned).toMatchObject([{ code: 'ERR_SINGLETON_CONNECTION_FAILED', cause }]);
});

it('a loop that began before a claim that is given up while the host is loaded ends, and one that begins then', async () => {
  const { app, claiming } = await loading();
  const next = app[Symbol.asyncIterator]().next();
  await app.release();
  await expect(claiming).rejects.toMatchObject({ code: 'ERR_SINGLETON_RELEASED' });
  expect(await next).toEqual({ value: undefined, done: true });
  expect(await app[Symbol.asyncIterator]().next()).toEqual({ value: undefined, done: true });
});

it('a host is loaded although its deliveryTimeout is over by then', async () => {
  const app = await startHost({ deliveryTimeout: 1 });
  expect(app.listening).toBe(true);
});

it.each([
  ['rejects', (): Promise<never> => Promise.reject(new Error('boom')), { message: 'boom' }],
  ['gives nothing', (): Promise<undefined> => Promise.resolve(undefined), undefined],
])('a codec whose load %s is refused, and the endpoint is free', async (_, load, cause) => {
  const transport = memory().transport('endpoint');
  const protocol = { ...legacy().protocol, inbound: load };
  const options = { transport, codec: { name: 'mine', protocol }, args: [] };
  // A caller in JavaScript may give what the types refuse.
  for (const schema of [undefined, z.array(z.string())]) {
    const app: Singleton = Reflect.construct(Singleton, [{ ...options, schema }]);
    await expect(app.acquire()).rejects.toMatchObject({ code: 'ERR_SINGLETON_INVALID_OPTION' });
  }
  const app: Singleton = Reflect.construct(Singleton, [options]);
  const refused = { code: 'ERR_SINGLETON_INVALID_OPTION', message: expect.stringContaining('"mine"'), cause };
  await expect(app.acquire()).rejects.toMatchObject(refused);
  await start(new Singleton({ transport }));
});
