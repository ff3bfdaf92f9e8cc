import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { lengthPrefixed } from '../../src/codecs/length-prefixed.ts';
import { type Schema, type SendOptions, Singleton } from '../../src/index.ts';
import type { Codec } from '../../src/interface/codec.ts';
import { memory } from '../../src/transports/memory.ts';

type Load = () => Promise<void>;

function text(load?: Load): Codec<string, string> {
  const serializer = {
    serialize: (value: string) => Buffer.from(value),
    deserialize: (bytes: Uint8Array) => Buffer.from(bytes).toString(),
    ...(load && { load }),
  };
  return lengthPrefixed<string, string>({ name: 'text', ...serializer, reply: serializer });
}

const never: Load = () => new Promise(() => {});
const missing: Load = () => Promise.reject(new Error('not installed'));
const UNLOADED = { code: 'ERR_SINGLETON_INVALID_OPTION' };

describe('acquire(), with a codec that loads something,', () => {
  it('rejects by the deadline and frees the endpoint when load() does not settle', async () => {
    const transport = memory().transport('endpoint');
    const app = new Singleton<string, string>({ transport, codec: text(never), args: '', deliveryTimeout: 300 });
    await expect(app.acquire()).rejects.toMatchObject({
      ...UNLOADED,
      message: expect.stringContaining('did not load'),
    });
    expect(app.listening).toBe(false);
    const next = await new Singleton<string, string>({ transport, codec: text(), args: '' }).acquire();
    await next.release();
  });

  it('rejects with RELEASED when the signal aborts or the Singleton is released during load()', async () => {
    const controller = new AbortController();
    const load = vi.fn<Load>(never);
    const shared = { transport: memory().transport('endpoint'), codec: text(load), args: '' };
    const aborted = new Singleton<string, string>({ ...shared, signal: controller.signal }).acquire();
    setImmediate(() => setImmediate(() => controller.abort()));
    await expect(aborted).rejects.toMatchObject({ code: 'ERR_SINGLETON_RELEASED' });
    const app = new Singleton<string, string>(shared);
    const acquiring = app.acquire();
    const outcome = expect(acquiring).rejects.toMatchObject({ code: 'ERR_SINGLETON_RELEASED' });
    while (load.mock.calls.length < 2) await turn();
    expect(app.listening).toBe(false);
    const released = vi.fn<() => void>();
    await app.on('release', released).release();
    await outcome;
    expect(released).not.toHaveBeenCalled();
  });

  it('succeeds the second time when load() fails only once', async () => {
    const load = vi.fn<Load>().mockRejectedValueOnce(new Error('busy')).mockResolvedValue();
    const app = new Singleton<string, string>({
      transport: memory().transport('endpoint'),
      codec: text(load),
      args: '',
    });
    await expect(app.acquire()).rejects.toMatchObject(UNLOADED);
    await app.acquire();
    expect(app.listening).toBe(true);
    await app.release();
  });

  it('accepts no launch before load() settles, and none if it fails', async () => {
    const transport = memory().transport('endpoint');
    const fail: ((error: Error) => void)[] = [];
    const load = vi.fn<Load>().mockResolvedValue();
    load.mockImplementationOnce(() => new Promise((_, reject) => fail.push(reject)));
    const app = new Singleton<string, string>({ transport, codec: text(load), args: '' });
    const acquiring = app.acquire();
    const outcome = expect(acquiring).rejects.toMatchObject(UNLOADED);
    while (load.mock.calls.length === 0) await turn();
    const sent = Singleton.send<string, string>({ transport, codec: text(), args: 'a' }).catch(
      (error: unknown) => error,
    );
    for (let turns = 0; turns < 20; turns += 1) await turn();
    expect(app.clients).toBe(0);
    fail[0]?.(new Error('not installed'));
    await outcome;
    expect(await sent).toMatchObject({ code: 'ERR_SINGLETON_NO_HOST' });
    expect(app.arguments).toEqual([]);
  });

  it('accepts launches the second time when load() failed while a client was connected', async () => {
    const network = memory();
    const transport = network.transport('endpoint');
    const load = vi.fn<Load>().mockResolvedValue();
    let connecting: Promise<unknown> | undefined;
    load.mockImplementationOnce(async () => {
      connecting = transport.connect({ signal: new AbortController().signal });
      await connecting;
      for (let turns = 0; turns < 5; turns += 1) await turn();
      throw new Error('busy');
    });
    const app = new Singleton<string, string>({ transport, codec: text(load), args: '' });
    await expect(app.acquire()).rejects.toMatchObject(UNLOADED);
    await connecting;
    await app.acquire();
    onTestFinished(() => app.release());
    await Singleton.send<string, string>({ transport, codec: text(), args: 'a' });
    expect(app.arguments).toEqual(['a']);
  });

  it('rejects when the load() of a codec under a schema fails', async () => {
    const schema: Schema<string> = {
      '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value: String(value) }) },
    };
    const transport = memory().transport('endpoint');
    const app = new Singleton<string, string>({ transport, codec: text(missing), schema, args: '' });
    await expect(app.acquire()).rejects.toMatchObject(UNLOADED);
  });

  it('fails a waiting launch before the host has received anything', async () => {
    const transport = memory().transport('endpoint');
    const host = await new Singleton<string, string>({ transport, codec: text(), args: '' }).acquire();
    onTestFinished(() => host.release());
    const send = (load: Load, options: Partial<SendOptions<string, string>> = {}): Promise<unknown> =>
      Singleton.send<string, string>({ transport, codec: text(load), args: 'a', wait: true, ...options });
    await expect(send(missing)).rejects.toMatchObject(UNLOADED);
    await expect(send(never, { deliveryTimeout: 300 })).rejects.toMatchObject({
      code: 'ERR_SINGLETON_HOST_UNRESPONSIVE',
    });
    expect(host).toMatchObject({ clients: 0, arguments: [] });
  });

  it.each(Array.from({ length: 16 }, (_, ticks) => ticks))(
    'leaves no iterator that never ends when load() settles %i microtasks before a release',
    async (ticks) => {
      const loaded: (() => void)[] = [];
      const load: Load = () => new Promise((resolve) => loaded.push(resolve));
      const app = new Singleton<string, string>({ transport: memory().transport('app'), codec: text(load), args: '' });
      const acquiring = app.acquire().catch(() => {});
      while (loaded.length === 0) await turn();
      loaded[0]?.();
      for (let tick = 0; tick < ticks; tick += 1) await Promise.resolve();
      await app.release();
      await acquiring;
      expect(await app[Symbol.asyncIterator]().next()).toEqual({ value: undefined, done: true });
    },
  );
});
