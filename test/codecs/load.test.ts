import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { lengthPrefixed, type LengthPrefixedOptions } from '../../src/codecs/length-prefixed.ts';
import { msgpack } from '../../src/codecs/msgpack.ts';
import { type Codec, generateSecret, Singleton, SingletonError } from '../../src/index.ts';
import { deliver } from '../helpers/deliver.ts';
import { portOf } from '../helpers/host.ts';

const INVALID = { name: 'SingletonError', code: 'ERR_SINGLETON_INVALID_OPTION' };

interface Opened {
  readonly codec: Codec<string, string>;
  /** What was called, in order. */
  readonly calls: string[];
}

/** A codec whose loading takes a while. */
function open(load = (): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, 5)), name = 'text'): Opened {
  const calls: string[] = [];
  const serializer = {
    serialize: (value: string) => Buffer.from(value),
    deserialize: (bytes: Uint8Array) => {
      calls.push('deserialize');
      return Buffer.from(bytes).toString();
    },
    async load() {
      calls.push('load');
      await load();
      calls.push('loaded');
    },
  } satisfies Partial<LengthPrefixedOptions<string, string>>;
  return { codec: lengthPrefixed<string, string>({ name, ...serializer, reply: serializer }), calls };
}

const LOADED = ['load', 'loaded', 'deserialize'];

describe('load() of a codec', () => {
  it.each([
    ['without a secret', undefined],
    ['with one', generateSecret()],
  ])('settles before a host decodes, and does not run on a client, %s', async (_, secret) => {
    const [client, host] = [open(), open()];
    const bytes = secret === undefined ? undefined : Buffer.from(secret);
    expect(await deliver('a', client.codec, host.codec, bytes)).toBe('a');
    expect(host.calls).toEqual(LOADED);
    expect(client.calls).toEqual([]);
  });

  it('settles before a client decodes a reply', async () => {
    const { codec, calls } = open();
    const app = await Singleton.acquire({ port: 0, codec: open().codec, args: '' });
    onTestFinished(() => app.release());
    app.on('args', (args, client) => void client.reply(`${args}!`));
    const sent = await Singleton.send({ port: portOf(app), codec, args: 'a', wait: true });
    expect(sent).toMatchObject({ reply: 'a!' });
    expect(calls).toEqual(LOADED);
  });

  it('runs once in a host, not for each launch', async () => {
    const { codec, calls } = open();
    const app = await Singleton.acquire({ port: 0, codec, args: '' });
    onTestFinished(() => app.release());
    expect(calls).toEqual(['load', 'loaded']);
    for (const args of ['a', 'b']) await Singleton.send({ port: portOf(app), codec: open().codec, args });
    expect(calls).toEqual([...LOADED, 'deserialize']);
  });

  it('does not load the serializer of replies in a host', async () => {
    const calls: string[] = [];
    const serializerOf = (name: string) => ({
      serialize: (value: string) => Buffer.from(value),
      deserialize: (bytes: Uint8Array) => Buffer.from(bytes).toString(),
      load: async () => void calls.push(name),
    });
    const codec = lengthPrefixed<string, string>({
      name: 'text',
      ...serializerOf('args'),
      reply: serializerOf('reply'),
    });
    await codec.protocol.inbound([codec]);
    expect(calls).toEqual(['args']);
  });

  it('rejects acquire() with its cause when it fails', async () => {
    const cause = new Error('boom');
    const failing = open(() => Promise.reject(cause));
    const error = { ...INVALID, cause, message: expect.stringContaining('"text"') };
    await expect(failing.codec.protocol.inbound([failing.codec])).rejects.toMatchObject(error);
    const typed = new SingletonError('ERR_SINGLETON_BUSY', 'boom');
    const { codec } = open(() => Promise.reject(typed));
    await expect(codec.protocol.inbound([codec])).rejects.toBe(typed);
  });
});

describe('msgpack()', () => {
  it('loads its package once, for arguments and replies', async () => {
    const codec = msgpack();
    expect(codec.protocol.inbound([codec])).toBeInstanceOf(Promise);
    await codec.protocol.inbound([codec]);
    expect(await deliver({ a: 1n }, codec)).toEqual({ a: 1n });
  });

  const raw = lengthPrefixed<Uint8Array>({
    name: 'msgpack',
    serialize: (bytes) => bytes,
    deserialize: (bytes) => bytes,
  });

  it('sends without its package, and rejects with the name of the package in a host', async () => {
    vi.resetModules();
    vi.doMock('msgpackr/unpack', () => {
      throw new Error('Cannot find package');
    });
    onTestFinished(() => {
      vi.doUnmock('msgpackr/unpack');
    });
    const lacking = msgpack();
    expect(await deliver(['a'], lacking, raw)).toEqual(Uint8Array.of(0x91, 0xa1, 0x61));
    const error = { ...INVALID, cause: expect.any(Error), message: expect.stringMatching(/msgpackr.*Install it/) };
    await expect(lacking.protocol.inbound([lacking])).rejects.toMatchObject(error);
    await expect(deliver(['a'], lacking)).rejects.toMatchObject(error);
  });
});
