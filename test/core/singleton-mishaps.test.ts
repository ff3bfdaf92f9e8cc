import { EventEmitter, once } from 'node:events';
import { Duplex } from 'node:stream';
import { expect, it, vi } from 'vitest';
import { Singleton } from '../../src/index.ts';
import { abort, type Listener, type Transport } from '../../src/transports/transport.ts';
import { hear, launch, start, startHost } from './hosting.ts';
import { ScriptedConnection, ScriptedTransport } from './scripted-transport.ts';

/** A transport whose `listen` is settled by the test. */
function pending() {
  const bound = new EventEmitter();
  const listen = once(bound, 'listening').then(([listener]) => listener);
  const transport: Transport = { place: 'pending://place', listen: () => listen, connect: async () => undefined };
  const close = vi.fn<() => Promise<void>>(async () => {});
  return { transport, close, succeed: () => bound.emit('listening', { place: 'late', close, ref() {}, unref() {} }) };
}

it('a place that cannot be freed is a warning, and the release ends all the same', async () => {
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

it('a listen that does not come back ends by the deadline, and a late place is given back', async () => {
  const { transport, close, succeed } = pending();
  const app = new Singleton({ transport, handOffTimeout: 20 });
  await expect(app.acquire()).rejects.toMatchObject({ code: 'ERR_SINGLETON_PLACE_UNAVAILABLE' });
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

it('a launch that comes to a claim that is given up is reset, so that it claims the place itself', async () => {
  const connection = new ScriptedConnection(() => {});
  const listener: Listener = { place: 'given up', close: async () => {}, ref() {}, unref() {} };
  const transport: Transport = {
    place: 'given up',
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
  abort(connection);
  expect(connection.destroyed).toBe(true);
});
