import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { json } from '../../src/codecs/json.ts';
import { type Client, Singleton, type Transport } from '../../src/index.ts';
import { memory } from '../../src/transports/memory.ts';
import type { Strings } from '../helpers/answer.ts';
import { ScriptedTransport } from '../helpers/scripted-transport.ts';

let transport = new ScriptedTransport();
let app = new Singleton({ transport });

beforeEach(async () => {
  transport = new ScriptedTransport();
  app = await new Singleton({ transport }).acquire();
});

afterEach(() => app.release());

function listener(): void {}

describe('Singleton', () => {
  it('does not keep the process alive without a listener', () => {
    expect(transport.isRef).toBe(false);
  });

  it('keeps the process alive until a loop is left', async () => {
    const loop = app[Symbol.asyncIterator]();
    expect(transport.isRef).toBe(true);
    await loop.return?.();
    expect(transport.isRef).toBe(false);
  });
});

describe.each(['args', 'client'] as const)('Singleton with a listener for %s', (event) => {
  it.each(['on', 'addListener', 'prependListener', 'once', 'prependOnceListener'] as const)(
    'keeps the process alive after %s',
    (add) => {
      app[add](event, listener);
      expect(transport.isRef).toBe(true);
    },
  );

  it.each(['off', 'removeListener'] as const)('lets the process end after %s', (remove) => {
    app.on(event, listener).on(event, listener);
    app[remove](event, listener);
    expect(transport.isRef).toBe(true);
    app[remove](event, listener);
    expect(transport.isRef).toBe(false);
  });

  it('lets the process end after removeAllListeners() with the name of the event', () => {
    app.on(event, listener).on('release', listener);
    app.removeAllListeners('release');
    expect(transport.isRef).toBe(true);
    app.removeAllListeners(event);
    expect(transport.isRef).toBe(false);
  });

  it('lets the process end after removeAllListeners() without a name', () => {
    app.on(event, listener).removeAllListeners();
    expect(transport.isRef).toBe(false);
    expect(app.listenerCount(event)).toBe(0);
  });

  it('lets the process end after the listener of once() was called', async () => {
    const called = new Promise((resolve) => app.once(event, resolve));
    expect(transport.isRef).toBe(true);
    const client = transport.connectClient();
    client.push('a\0');
    client.push(null);
    await called;
    expect(transport.isRef).toBe(false);
  });

  it('keeps the process alive if the listener was added before acquire()', async () => {
    const early = new ScriptedTransport();
    const host = await new Singleton({ transport: early }).once(event, listener).acquire();
    expect(early.isRef).toBe(true);
    await host.release();
  });
});

describe('Singleton', () => {
  it.each(['release', 'timeout', 'verifyFailed', 'warning'] as const)(
    'does not keep the process alive for a listener for %s',
    (event) => {
      app.on(event, listener);
      expect(transport.isRef).toBe(false);
    },
  );

  it('keeps the process alive until an observer is untraced', () => {
    app.trace(listener);
    expect(transport.isRef).toBe(true);
    app.untrace(listener);
    expect(transport.isRef).toBe(false);
  });

  it('keeps the process alive for one of several listeners', () => {
    app.on('args', listener).on('client', listener).trace(listener);
    app.off('args', listener).untrace(listener);
    expect(transport.isRef).toBe(true);
    app.off('client', listener);
    expect(transport.isRef).toBe(false);
  });
});

describe('Singleton.ref and Singleton.unref', () => {
  it('return the Singleton', () => {
    expect(app.ref()).toBe(app);
    expect(app.unref()).toBe(app);
  });

  it('keep the process alive after ref(), with or without a listener', () => {
    app.ref();
    expect(transport.isRef).toBe(true);
    app.on('args', listener).off('args', listener);
    expect(transport.isRef).toBe(true);
  });

  it('let it end after unref(), with or without a listener', () => {
    app.on('args', listener).unref();
    expect(transport.isRef).toBe(false);
    app.on('client', listener).trace(listener);
    expect(transport.isRef).toBe(false);
  });

  it('apply the last call', () => {
    app.unref().ref();
    expect(transport.isRef).toBe(true);
    app.unref();
    expect(transport.isRef).toBe(false);
  });

  it.each([
    ['ref', true],
    ['unref', false],
  ] as const)('apply %s before acquire() also after it', async (method, expected) => {
    const early = new ScriptedTransport();
    const host = new Singleton({ transport: early })[method]();
    if (!expected) host.on('args', listener);
    await host.acquire();
    expect(early.isRef).toBe(expected);
    await host.release();
  });

  it('keep the process alive until a release has ended', async () => {
    app.unref();
    await app.release();
    expect(transport.steps.slice(-2)).toEqual(['ref', 'close']);
  });

  it('touch no listener after a release', async () => {
    await app.release();
    const { length } = transport.steps;
    app.unref().ref().on('args', listener);
    expect(transport.steps).toHaveLength(length);
  });
});

describe('a waiting client', () => {
  it('keeps the process alive from its dispatch to its result, and not while it is queued', async () => {
    const { endpoint, isRef } = watched(memory().transport('endpoint'));
    const shared = { transport: endpoint, codec: json<Strings>() };
    const host = await new Singleton<Strings>(shared).acquire();
    const result = Singleton.send({ ...shared, args: ['a'], wait: true });
    while (host.arguments.length === 0) await turn();
    expect(isRef()).toBe(false);
    const heard = new Promise<Client>((resolve) => {
      host.once('args', (_, client) => {
        resolve(client);
        return new Promise(() => {});
      });
    });
    const client = await heard;
    expect(isRef()).toBe(true);
    client.exit(3);
    expect(await result).toMatchObject({ exitCode: 3 });
    while (isRef()) await turn();
    await host.release();
  });
});

/** An endpoint, and whether its listener keeps the process alive. */
function watched(inner: Transport): { readonly endpoint: Transport; readonly isRef: () => boolean } {
  let isRef = true;
  return {
    isRef: () => isRef,
    endpoint: {
      endpoint: inner.endpoint,
      connect: (options) => inner.connect(options),
      async listen(...how) {
        const bound = await inner.listen(...how);
        return (
          bound && {
            endpoint: bound.endpoint,
            close: () => bound.close(),
            ref: () => void (isRef = true),
            unref: () => void (isRef = false),
          }
        );
      },
    },
  };
}
