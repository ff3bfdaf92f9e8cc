import { getEventListeners, once } from 'node:events';
import { createServer } from 'node:net';
import { afterEach, describe, expect, it, type Mock, onTestFinished, vi } from 'vitest';
import { MultipleSingletonsError, Singleton, SingletonError } from '../../src/index.ts';
import { recordEvents, portOf, startHost } from '../helpers/host.ts';
import { at, ScriptedTransport } from '../helpers/scripted-transport.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

const exited = new Error('exit');

/** An exit ends the call, not the tests. */
class HiddenSet extends Set<string> {
  override [Symbol.iterator](): SetIterator<string> {
    return new Set<string>().values();
  }
}

/** Also hides which endpoints this process holds, as if the host were another one. */
function spyOnExit(): Mock<typeof process.exit> {
  const shared: any = process;
  const key = Symbol.for('socket-singleton.endpoints');
  const endpoints: unknown = shared[key];
  shared[key] = new HiddenSet();
  onTestFinished(() => void (shared[key] = endpoints));
  return vi.spyOn(process, 'exit').mockImplementation(() => {
    throw exited;
  });
}

describe('new Singleton()', () => {
  it('uses no transport', () => {
    const transport = new ScriptedTransport();
    const { signal } = new AbortController();
    const app = new Singleton({ transport, signal });
    expect(transport.steps).toEqual([]);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    expect(app).toMatchObject({ listening: false, endpoint: 'scripted://endpoint', clients: 0, arguments: [] });
  });

  it('refuses a wrong option', () => {
    expect(() => new Singleton({ port: -1 })).toThrow(
      expect.objectContaining({ code: 'ERR_SINGLETON_INVALID_OPTION' }),
    );
  });

  it('rejects, and does not throw, on a wrong option in the static acquire and send', async () => {
    const invalid = { code: 'ERR_SINGLETON_INVALID_OPTION' };
    await expect(Singleton.acquire({ port: -1 })).rejects.toMatchObject(invalid);
    await expect(Singleton.send({ port: -1 })).rejects.toMatchObject(invalid);
  });
});

describe('acquire(), at a free endpoint,', () => {
  it('resolves to the Singleton, which is listening at its endpoint', async () => {
    const app = new Singleton({ port: 0 });
    expect(await app.acquire()).toBe(app);
    expect(app.listening).toBe(true);
    expect(app.endpoint).toMatch(/^tcp:\/\/127\.0\.0\.1:[1-9]\d*$/);
    await app.release();
  });

  it('returns the same promise twice, and binds once', async () => {
    const transport = new ScriptedTransport();
    const app = new Singleton({ transport });
    const first = app.acquire();
    expect(app.acquire()).toBe(first);
    await first;
    expect(app.acquire()).toBe(first);
    expect(transport.steps.filter((step) => step === 'listen')).toHaveLength(1);
  });
});

describe('acquire(), at a taken endpoint,', () => {
  it('says that its launch may have run if the host ended before it confirmed it', async () => {
    const launches: unknown[] = [];
    const dying = createServer((socket) => {
      socket.once('data', (bytes) => {
        launches.push(bytes);
        dying.close();
        socket.resetAndDestroy();
      });
    });
    dying.listen(0, '127.0.0.1');
    await once(dying, 'listening');
    const port = Object(dying.address()).port;
    // More than a Python host reads at once, so that it may have run with a part of it.
    const app = await Singleton.acquire({ port, args: ['x'.repeat(2000)] });
    onTestFinished(() => app.release());
    expect([app.listening, app.mayHaveRun, launches.length]).toEqual([true, true, 1]);
    expect((await startHost()).mayHaveRun).toBe(false);
  });

  it('delivers the arguments and rejects with the receipt if strict is false', async () => {
    const host = await startHost();
    const { args } = recordEvents(host);
    const second = new Singleton({ port: portOf(host), args: ['a'], strict: false });
    const error: unknown = await second.acquire().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(MultipleSingletonsError);
    expect(error).toMatchObject({ code: 'ERR_SINGLETON_ALREADY_RUNNING', receipt: { outcome: 'unconfirmed' } });
    expect(error).toMatchObject({ message: expect.stringContaining(host.endpoint) });
    expect(args).toEqual([['a']]);
    expect(second.listening).toBe(false);
  });

  it('exits with status 0 if strict is true, and not before the host has the arguments', async () => {
    const exit = spyOnExit();
    const host = await startHost();
    const { args } = recordEvents(host);
    await expect(Singleton.acquire({ port: portOf(host), args: ['a'] })).rejects.toBe(exited);
    expect(exit).toHaveBeenCalledExactlyOnceWith(0);
    expect(args).toEqual([['a']]);
  });

  it('exits with exitCode after the delivery, or with client: false without one', async () => {
    const exit = spyOnExit();
    const host = await startHost();
    const { args } = recordEvents(host);
    const options = { port: portOf(host), args: ['a'], exitCode: 75 };
    await expect(Singleton.acquire(options)).rejects.toBe(exited);
    await expect(Singleton.acquire({ ...options, client: false, exitCode: 76 })).rejects.toBe(exited);
    expect(exit.mock.calls).toEqual([[75], [76]]);
    expect(args).toEqual([['a']]);
  });

  it.each([
    ['127.0.0.1', 'localhost'],
    ['0.0.0.0', '127.0.0.1'],
    ['127.0.0.1', '0.0.0.0'],
  ])('rejects if strict is true and this process holds %s, for %s', async (held, address) => {
    const host = await startHost({ address: held });
    await expect(Singleton.acquire({ address, port: portOf(host), args: ['a'] })).rejects.toMatchObject({
      code: 'ERR_SINGLETON_ALREADY_RUNNING',
    });
  });

  it.each([{}, { client: false }])('rejects if strict is true and this process is the host (%j)', async (options) => {
    const host = await startHost();
    const { order } = recordEvents(host);
    await expect(Singleton.acquire({ port: portOf(host), args: ['a'], ...options })).rejects.toMatchObject({
      code: 'ERR_SINGLETON_ALREADY_RUNNING',
      message: expect.stringContaining(`This process is the host at ${host.endpoint}`),
    });
    expect(order).toEqual([]);
    await host.release();
    expect((await startHost({ port: portOf(host) })).listening).toBe(true);
  });

  it('sends nothing with client: false, and still exits or rejects', async () => {
    const exit = spyOnExit();
    const host = await startHost();
    const { order } = recordEvents(host);
    const options = { port: portOf(host), args: ['a'], client: false };
    await expect(Singleton.acquire(options)).rejects.toBe(exited);
    await expect(Singleton.acquire({ ...options, strict: false })).rejects.toMatchObject({
      receipt: { outcome: 'skipped' },
    });
    expect(exit).toHaveBeenCalledOnce();
    expect(order).toEqual([]);
  });

  it.each([true, false])('never exits on an error (strict: %s)', async (strict) => {
    const exit = spyOnExit();
    const host = await startHost();
    await expect(Singleton.acquire({ port: portOf(host), args: ['\0'], strict })).rejects.toMatchObject({
      code: 'ERR_SINGLETON_UNENCODABLE',
    });
    const transport = new ScriptedTransport({ listen: ['taken'], connect: ['silent'] });
    await expect(Singleton.acquire({ transport, deliveryTimeout: 200, strict })).rejects.toMatchObject({
      code: 'ERR_SINGLETON_HOST_UNRESPONSIVE',
    });
    expect(exit).not.toHaveBeenCalled();
  });

  it('becomes host once the other has released', async () => {
    const first = await startHost();
    const port = portOf(first);
    await first.release();
    expect((await startHost({ port })).listening).toBe(true);
  });
});

describe('acquire(), after a failure,', () => {
  it('starts again, and leaves no listener on the signal in between', async () => {
    const { signal } = new AbortController();
    const failure = new SingletonError('ERR_SINGLETON_ENDPOINT_UNAVAILABLE', 'No.');
    const app = new Singleton({ transport: new ScriptedTransport({ listen: [failure, 'free'] }), signal });
    await expect(app.acquire()).rejects.toBe(failure);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    expect((await app.acquire()).listening).toBe(true);
  });

  it('starts again after a delivery, too', async () => {
    const transport = new ScriptedTransport({ listen: ['taken', 'free'] });
    const app = new Singleton({ transport, strict: false });
    await expect(app.acquire()).rejects.toMatchObject({ receipt: { outcome: 'unconfirmed' } });
    expect((await app.acquire()).listening).toBe(true);
  });
});

describe('acquire(), when it is aborted,', () => {
  it('rejects with RELEASED and the reason as the cause, without a step, if the signal was aborted before', async () => {
    const transport = new ScriptedTransport();
    const signal = AbortSignal.abort('enough');
    const app = new Singleton({ transport, signal });
    await expect(app.acquire()).rejects.toMatchObject({ code: 'ERR_SINGLETON_RELEASED', cause: 'enough' });
    await app.release();
    expect(transport.steps).toEqual([]);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  it.each([
    ['listen', 'taken', 'host'],
    ['listen', 'free', 'host'],
    ['connect', 'taken', 'hanging'],
    ['deliver', 'taken', 'silent'],
  ] as const)(
    'rejects with RELEASED, and emits no release, at the %s of an endpoint that is %s',
    async (step, listen, connect) => {
      const controller = new AbortController();
      const onStep = at(step, () => controller.abort('enough'));
      const transport = new ScriptedTransport({ listen: [listen], connect: [connect], onStep });
      const app = new Singleton({ transport, signal: controller.signal, strict: false });
      const { order } = recordEvents(app);
      await expect(app.acquire()).rejects.toMatchObject({ code: 'ERR_SINGLETON_RELEASED', cause: 'enough' });
      expect(app.listening).toBe(false);
      expect(transport.listening).toBeUndefined();
      expect(order).toEqual([]);
      expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
    },
  );
});
