import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { deserialize, serialize } from 'node:v8';
import { decode, encode } from 'cborg';
import { describe, expect, it, onTestFinished } from 'vitest';
import { json } from '../../src/codecs/json.ts';
import { lengthPrefixed, type LengthPrefixedOptions } from '../../src/codecs/length-prefixed.ts';
import { msgpack } from '../../src/codecs/msgpack.ts';
import {
  type Receipt,
  type Codec,
  generateSecret,
  Singleton,
  SingletonError,
  type VerifyFailure,
} from '../../src/index.ts';
import { codeOf, MARKER } from '../helpers/codec-compliance.ts';
import { endpointNames, endpoints, transportAt } from '../helpers/endpoints.ts';
import { portOf, start } from '../helpers/host.ts';

const cbor = lengthPrefixed<unknown>({ name: 'cbor', serialize: encode, deserialize: (bytes) => decode(bytes) });
const v8 = lengthPrefixed<unknown>({ name: 'v8', serialize, deserialize });
const text: LengthPrefixedOptions<string, never> = {
  name: 'text',
  serialize: (value) => Buffer.from(value),
  deserialize: (bytes) => Buffer.from(bytes).toString(),
};

function quote(bytes: Uint8Array): never {
  throw new Error(Buffer.from(bytes).toString());
}

interface SharedOptions {
  readonly name?: string;
  readonly secret?: string | Uint8Array;
}

interface Heard {
  readonly app: Singleton<unknown>;
  readonly warnings: SingletonError[];
  readonly failures: VerifyFailure[];
}

/** A host of the codec, and what it warns of. */
async function host(codec: Codec<unknown>, options: SharedOptions = {}): Promise<Heard> {
  const app = await Singleton.acquire<unknown>({ port: 0, codec, args: '', ...options });
  onTestFinished(() => app.release());
  const heard: Heard = { app, warnings: [], failures: [] };
  app.on('warning', (warning) => heard.warnings.push(warning));
  app.on('verifyFailed', (failure) => heard.failures.push(failure));
  return heard;
}

/** The receipt or the error. */
function launch({ app }: Heard, codec: Codec<unknown>, args: unknown, options: SharedOptions = {}): Promise<unknown> {
  return Singleton.send<unknown>({ port: portOf(app), codec, args, ...options }).catch((error: unknown) => error);
}

describe('lengthPrefixed() with a serializer of the user', () => {
  it.each<[string, Codec<unknown>, unknown]>([
    ['CBOR', cbor, { a: [1, -1.5, 'é', null, true, Uint8Array.of(1, 2)] }],
    ['v8.serialize', v8, [new Map([[1, new Set(['a'])]]), new Date(0), /a/gu, undefined, -0, 2n ** 100n]],
    ['text of its own', lengthPrefixed(text), 'é\0'],
  ])('delivers %s', async (_, codec, value) => {
    const heard = await host(codec);
    expect(await launch(heard, codec, value)).toMatchObject({ outcome: 'delivered', client: 1 });
    expect(await launch(heard, codec, value)).toMatchObject({ outcome: 'delivered', client: 2 });
    expect(heard.app.arguments).toStrictEqual([value, value]);
  });

  it('delivers a message of 0 bytes and one of 1 MiB minus the header of a launch', async () => {
    const codec = lengthPrefixed(text);
    const heard = await host(codec);
    const long = 'x'.repeat(1_048_576 - 12 - Buffer.byteLength(process.cwd()));
    for (const args of ['', long]) expect(await launch(heard, codec, args)).toMatchObject({ outcome: 'delivered' });
    expect(heard.app.arguments).toEqual(['', long]);
    expect(await launch(heard, codec, `${long}x`)).toMatchObject({ code: 'ERR_SINGLETON_MESSAGE_TOO_LARGE' });
  });

  it('rejects with the error as the cause when serialize throws, and sends nothing', async () => {
    const cause = new Error('boom');
    const throwing = (): never => {
      throw cause;
    };
    const heard = await host(lengthPrefixed(text));
    const error = await launch(heard, lengthPrefixed({ ...text, serialize: throwing }), 'a');
    expect(error).toMatchObject({ name: 'SingletonError', code: 'ERR_SINGLETON_UNENCODABLE', cause });
    expect(heard).toMatchObject({ app: { clients: 0 }, warnings: [], failures: [] });
  });

  it.each(['BUSY', 'CONNECTION_FAILED', 'NO_HOST', 'UNENCODABLE'] as const)(
    'refuses the launch at once when deserialize throws a SingletonError with another code, %s',
    async (code) => {
      const failing = (): never => {
        throw new SingletonError(`ERR_SINGLETON_${code}`, 'No.');
      };
      const heard = await host(lengthPrefixed({ ...text, deserialize: failing }));
      const error = await launch(heard, lengthPrefixed(text), 'a');
      expect(error).toMatchObject({ code: 'ERR_SINGLETON_MALFORMED_MESSAGE' });
      expect(heard.warnings).toMatchObject([{ code: 'ERR_SINGLETON_MALFORMED_MESSAGE' }]);
    },
  );

  it('refuses the launch when deserialize throws, without the error, which may quote the client', async () => {
    const heard = await host(lengthPrefixed({ ...text, deserialize: quote }));
    const error = await launch(heard, lengthPrefixed(text), MARKER);
    expect(error).toMatchObject({ name: 'SingletonError', code: 'ERR_SINGLETON_MALFORMED_MESSAGE' });
    expect(heard.warnings).toMatchObject([{ code: 'ERR_SINGLETON_MALFORMED_MESSAGE' }]);
    expect(heard.warnings[0]).not.toHaveProperty('cause');
    expect(heard.warnings[0]?.message).toContain('11 bytes');
    for (const { stack } of heard.warnings) expect(stack).not.toContain(MARKER);
    expect(heard.app).toMatchObject({ clients: 0, arguments: [] });
  });

  it('does not call deserialize before the client has proved the secret', async () => {
    let seen = 0;
    const counting = (bytes: Uint8Array): string => {
      seen += 1;
      return text.deserialize(bytes);
    };
    const secret = generateSecret();
    const heard = await host(lengthPrefixed({ ...text, deserialize: counting }), { secret });
    for (const options of [{}, { secret: generateSecret() }]) await launch(heard, lengthPrefixed(text), 'a', options);
    expect(seen).toBe(0);
    await launch(heard, lengthPrefixed(text), 'a', { secret });
    expect(seen).toBe(1);
  });
});

describe('lengthPrefixed()', () => {
  const { name: wrong } = JSON.parse('{ "name": 7 }');

  it.each([
    ['an empty one', ''],
    ['256 bytes', 'x'.repeat(256)],
    ['256 bytes of 128 characters', 'é'.repeat(128)],
    ['a lone surrogate', 'a\ud800'],
    ['a number', wrong],
  ])('refuses as the name of a serializer: %s', (_, name) => {
    expect(codeOf(() => lengthPrefixed({ ...text, name }))).toBe('ERR_SINGLETON_INVALID_OPTION');
  });

  it('accepts a serializer name and an application name of 255 bytes', async () => {
    const name = `${'é'.repeat(127)}x`;
    const codec = lengthPrefixed({ ...text, name });
    const heard = await host(codec, { name });
    expect(await launch(heard, codec, 'a', { name })).toMatchObject({ outcome: 'delivered' });
    for (const long of [`${name}x`, 'a\ud800']) {
      expect(codeOf(() => new Singleton({ codec, args: '', name: long }))).toBe('ERR_SINGLETON_INVALID_OPTION');
    }
  });
});

describe('a host that receives a launch for another host', () => {
  const secret = generateSecret();
  const codecs = [json(), json()] as const;

  it.each<[string, SharedOptions, SharedOptions, string]>([
    ['another name', { name: 'a' }, { name: 'b' }, 'ERR_SINGLETON_WRONG_APPLICATION'],
    ['no name', { name: 'a' }, {}, 'ERR_SINGLETON_WRONG_APPLICATION'],
    ['another name and another secret', { name: 'a', secret }, { name: 'b' }, 'ERR_SINGLETON_WRONG_APPLICATION'],
  ])('refuses one for %s, with a warning', async (_, own, other, code) => {
    const heard = await host(codecs[0], own);
    expect(await launch(heard, codecs[1], 'a', other)).toMatchObject({ code });
    expect(heard).toMatchObject({ app: { clients: 0 }, warnings: [{ code }], failures: [] });
  });

  it('refuses one of another codec with a warning, whatever the secrets', async () => {
    for (const options of [{}, { secret }]) {
      const heard = await host(json(), options);
      const code = 'ERR_SINGLETON_UNSUPPORTED_VERSION';
      expect(await launch(heard, msgpack(), 'a', options)).toMatchObject({ code });
      expect(heard).toMatchObject({ app: { clients: 0 }, warnings: [{ code }], failures: [] });
    }
  });

  it.each<[string, SharedOptions, SharedOptions, string]>([
    ['without a secret', { secret }, {}, 'missing-secret'],
    ['with a secret that the host does not have', {}, { secret }, 'unexpected-secret'],
    ['with another secret', { secret }, { secret: generateSecret() }, 'wrong-secret'],
  ])('refuses one %s, with one verifyFailed event and no warning', async (_, own, other, reason) => {
    const heard = await host(codecs[0], own);
    expect(await launch(heard, codecs[1], 'a', other)).toMatchObject({ code: 'ERR_SINGLETON_VERIFICATION_FAILED' });
    expect(heard.failures).toEqual([
      { reason, remoteAddress: '127.0.0.1', time: expect.any(Date), count: 1, suppressed: 0 },
    ]);
    expect(heard).toMatchObject({ app: { clients: 0 }, warnings: [] });
    expect(await launch(heard, codecs[1], 'b', own)).toMatchObject({ outcome: 'delivered', client: 1 });
  });
});

describe.each(endpointNames)('two sides with different codecs, on %s', (name) => {
  const SECRET = 'a secret of 32 bytes or more ....';

  it.each([0, 1, 5000, 70_000, 500_000])('learn it from a structured host, with %i characters', async (length) => {
    const args = length > 0 ? ['x'.repeat(length)] : [];
    const app = new Singleton<unknown>({ transport: endpoints[name](), codec: json(), args: '' });
    const warned = once(app, 'warning');
    onTestFinished(() => app.release());
    await app.acquire();
    await expect(Singleton.send({ transport: transportAt(app.endpoint), args })).rejects.toMatchObject({
      code: 'ERR_SINGLETON_UNSUPPORTED_VERSION',
      message: expect.stringContaining('legacy()'),
    });
    expect(await warned).toMatchObject([{ code: 'ERR_SINGLETON_UNSUPPORTED_VERSION' }]);
    expect(app.clients).toBe(0);
  });

  it.each([undefined, SECRET])('learn it from a legacy host, with the secret %j', async (secret) => {
    const app = new Singleton({ transport: endpoints[name](), secret });
    const warned = once(app, 'warning');
    await start(app);
    const sent = Singleton.send({ transport: transportAt(app.endpoint), codec: json(), args: ['a'], secret });
    await expect(sent).rejects.toMatchObject({ code: 'ERR_SINGLETON_UNSUPPORTED_VERSION' });
    expect(await warned).toMatchObject([{ code: 'ERR_SINGLETON_UNSUPPORTED_VERSION' }]);
    expect(app.clients).toBe(0);
  });
});

describe('a waiting launch whose codec has no serializer for replies', () => {
  it('receives an exit status, and fails when its listener replies', async () => {
    const codec = lengthPrefixed(text);
    const { app, warnings } = await host(codec);
    app.on('args', (args, client) => (args === 'exit' ? client.exit(3) : client.reply('x')));
    const send = (args: string): Promise<Receipt> => Singleton.send({ port: portOf(app), codec, args, wait: true });
    expect(await send('exit')).toMatchObject({ exitCode: 3 });
    await expect(send('reply')).rejects.toMatchObject({ code: 'ERR_SINGLETON_LISTENER_FAILED' });
    expect(warnings).toMatchObject([{ cause: { code: 'ERR_SINGLETON_UNENCODABLE' } }]);
  });
});

describe('a host with a short secret', () => {
  it('emits one warning without the secret to a listener that is added after acquire()', async () => {
    const codec = json();
    const app = await Singleton.acquire<unknown>({ port: 0, codec, args: '', secret: 'fifteen-bytes-x' });
    onTestFinished(() => app.release());
    const warnings: SingletonError[] = [];
    const warned = once(app, 'warning');
    app.on('warning', (warning) => warnings.push(warning));
    await warned;
    await Singleton.send({ port: portOf(app), codec, args: 'a', secret: 'fifteen-bytes-x' });
    expect(warnings).toMatchObject([{ code: 'ERR_SINGLETON_INVALID_OPTION' }]);
    expect(warnings[0]?.message).toMatch(/expected 16 bytes or more, got 15; .*generateSecret/);
    expect(warnings[0]?.stack).not.toContain('fifteen-bytes');
  });

  it('warns of fewer than 16 bytes, whatever the number of characters', async () => {
    for (const secret of ['é'.repeat(8), new Uint8Array(16), 'x'.repeat(16)]) {
      const { warnings } = await host(json(), { secret });
      await turn();
      expect(warnings).toEqual([]);
    }
    for (const secret of ['é'.repeat(7), new Uint8Array(15)]) {
      const { warnings } = await host(json(), { secret });
      await turn();
      expect(warnings).toHaveLength(1);
    }
  });
});
