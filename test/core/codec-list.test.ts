import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { json } from '../../src/codecs/json.ts';
import { lengthPrefixed } from '../../src/codecs/length-prefixed.ts';
import { msgpack } from '../../src/codecs/msgpack.ts';
import {
  type Client,
  type Codec,
  legacy,
  Singleton,
  type SingletonError,
  type SingletonOptions,
} from '../../src/index.ts';
import { encode } from '../../src/protocol/legacy/message.ts';
import { encodeLaunch } from '../../src/protocol/launch.ts';
import { frames } from '../../src/protocol/frames.ts';
import { endpointNames, endpoints, transportAt } from '../helpers/endpoints.ts';
import { connect, portOf, recordEvents, sendBytes, waitForClose } from '../helpers/host.ts';
import { HOST_HELLO, SECRET, start, type Strings } from '../helpers/requests.ts';
import { ScriptedTransport } from '../helpers/scripted-transport.ts';
import { clientHello, RawConnection } from '../helpers/wire.ts';

type Codecs = readonly [Codec<Strings>, ...Codec<Strings>[]];
type Options = Omit<SingletonOptions, 'codec' | 'schema' | 'args'>;

const create: Readonly<Record<string, () => Codec<Strings>>> = {
  json: () => json<Strings>(),
  msgpack: () => msgpack<Strings>(),
  legacy: () => legacy(),
};
/** Those of a host, in order. */
const LISTS: readonly (readonly string[])[] = [
  ['json', 'legacy'],
  ['legacy', 'json'],
  ['json', 'msgpack', 'legacy'],
  ['json', 'msgpack'],
  ['legacy', 'msgpack'],
];

function codecOf(name: string): Codec<Strings> {
  const codec = create[name]?.();
  if (!codec) throw new Error(`Expected a codec named ${name}.`);
  return codec;
}

function codecsOf([first = '', ...others]: readonly string[]): Codecs {
  return [codecOf(first), ...others.map(codecOf)];
}

function startHost(names: readonly string[], options: Options = {}): Promise<Singleton> {
  const endpoint = options.transport ? {} : { port: 0 };
  return start(new Singleton<Strings>({ ...endpoint, codec: codecsOf(names), args: [], ...options }));
}

function invalid(option: string): unknown {
  return expect.objectContaining({
    code: 'ERR_SINGLETON_INVALID_OPTION',
    message: expect.stringContaining(`"${option}"`),
  });
}

function helloAndLaunch(codec: string, args: Uint8Array): Buffer {
  const launch = frames.encode(encodeLaunch({ args }));
  return Buffer.concat([clientHello({ codec, application: '' }), launch]);
}

describe.each(endpointNames)('a host with several codecs, over %s,', (endpoint) => {
  describe.each(LISTS.map((names) => [names.join(' and '), names] as const))('%s,', (_, names) => {
    it.each([undefined, SECRET])('takes launches with each of them, with the secret %s', async (secret) => {
      const app = await startHost(names, { transport: endpoints[endpoint](), secret });
      const heard = recordEvents(app);
      const transport = transportAt(app.endpoint);
      for (const [index, name] of names.entries()) {
        const args = [name, '', 'ü'];
        const receipt = await Singleton.send({ transport, codec: codecOf(name), args, secret });
        if (name === 'legacy') expect(receipt).toEqual({ outcome: 'unconfirmed' });
        else expect(receipt).toMatchObject({ outcome: 'delivered', client: index + 1, host: { pid: process.pid } });
      }
      expect(heard.args).toEqual(names.map((name) => [name, '', 'ü']));
      expect(heard.clients.map(({ codec, number, pid }) => ({ codec, number, pid }))).toEqual(
        names.map((codec, index) => ({ codec, number: index + 1, pid: codec === 'legacy' ? undefined : process.pid })),
      );
      expect(heard.warnings).toEqual([]);
    });

    it('launches with the first of them', async () => {
      const [first = '', ...others] = names;
      const app = await startHost([first], { transport: endpoints[endpoint]() });
      const heard = recordEvents(app);
      const transport = transportAt(app.endpoint);
      await Singleton.send({ transport, codec: codecOf(first), args: ['alone'] });
      const both: any = codecsOf([first, ...others]);
      await Singleton.send({ transport, codec: both, args: ['of several'] });
      expect(heard.args).toEqual([['alone'], ['of several']]);
      expect(heard.clients.map(({ codec }) => codec)).toEqual([first, first]);
    });
  });
});

describe('a host with json(), msgpack() and legacy()', () => {
  const names = ['json', 'msgpack', 'legacy'];

  it.each([
    ['json', { secret: `${SECRET}!` }, 'wrong-secret'],
    ['msgpack', { secret: `${SECRET}!` }, 'wrong-secret'],
    ['json', {}, 'missing-secret'],
    ['legacy', { secret: `${SECRET}!` }, 'wrong-secret'],
    ['legacy', {}, 'wrong-secret'],
  ])('refuses a client with %s and the options %j', async (name, options, reason) => {
    const app = await startHost(names, { secret: SECRET });
    const failed = once(app, 'verifyFailed');
    const sending = Singleton.send({ port: portOf(app), codec: codecOf(name), args: ['a'], ...options });
    if (name === 'legacy') await sending;
    else await expect(sending).rejects.toMatchObject({ code: 'ERR_SINGLETON_VERIFICATION_FAILED' });
    expect(await failed).toMatchObject([{ reason }]);
    expect(app.clients).toBe(0);
  });

  it('answers a launch that waits, over one of them', async () => {
    const app = await Singleton.acquire({
      port: 0,
      codec: [msgpack<bigint>(), json<number>(), legacy()],
      args: 1n,
    });
    onTestFinished(() => app.release());
    app.on('args', (args, client) => {
      const reply = typeof args === 'bigint' ? args + 1n : `${client.codec} ${String(args)}`;
      client.reply(reply);
    });
    const shared = { port: portOf(app), wait: true };
    expect(await Singleton.send({ ...shared, codec: msgpack<bigint>(), args: 2n ** 60n })).toMatchObject({
      reply: 2n ** 60n + 1n,
    });
    expect(await Singleton.send({ ...shared, codec: json<number>(), args: 7 })).toMatchObject({ reply: 'json 7' });
    expect(await Singleton.send({ port: portOf(app), args: ['a'] })).toEqual({ outcome: 'unconfirmed' });
  });

  it('has a reply refused that the codec of the client cannot carry', async () => {
    const app = await Singleton.acquire({
      port: 0,
      codec: [msgpack<bigint>(), json<number>()],
      args: 1n,
    });
    onTestFinished(() => app.release());
    app.on('warning', () => {}).on('args', (_, client) => client.reply(5n));
    const shared = { port: portOf(app), wait: true };
    expect(await Singleton.send({ ...shared, codec: msgpack<bigint>(), args: 1n })).toMatchObject({ reply: 5n });
    const failing = Singleton.send({ ...shared, codec: json<number>(), args: 7 });
    await expect(failing).rejects.toMatchObject({ code: 'ERR_SINGLETON_LISTENER_FAILED' });
  });

  it('has the version and the environment of the clients whose codec carries them', async () => {
    const app = await startHost(names, { version: 'host' });
    const { clients } = recordEvents(app);
    process.env['CODEC_LIST_TEST'] = 'ä = 1';
    onTestFinished(() => void delete process.env['CODEC_LIST_TEST']);
    const forwardEnv = ['CODEC_LIST_TEST', 'CODEC_LIST_MISSING', 'toString', '__proto__'];
    const launch = { port: portOf(app), args: ['a'], version: '1.0 β' };
    for (const name of ['json', 'msgpack'])
      expect(await Singleton.send({ ...launch, codec: codecOf(name), forwardEnv })).toMatchObject({
        host: { version: 'host' },
      });
    await Singleton.send(launch);
    expect(clients.map(({ version, env }) => [version, { ...env }])).toEqual([
      ['1.0 β', { CODEC_LIST_TEST: 'ä = 1' }],
      ['1.0 β', { CODEC_LIST_TEST: 'ä = 1' }],
      [undefined, {}],
    ]);
    expect(clients.every(({ env }) => Object.isFrozen(env))).toBe(true);
  });

  it('validates the arguments of each by one schema', async () => {
    const schema = z.union([z.object({ file: z.string() }), z.array(z.string().max(3))]);
    const app = await Singleton.acquire({ port: 0, codec: [json(), legacy()], schema, args: { file: 'a' } });
    onTestFinished(() => app.release());
    const received: unknown[] = [];
    const warnings: SingletonError[] = [];
    app.on('args', (args) => void received.push(args)).on('warning', (warning) => void warnings.push(warning));
    const port = portOf(app);
    await Singleton.send({ port, codec: json(), args: { file: 'b', more: 1 } });
    await Singleton.send({ port, args: ['c'] });
    await expect(Singleton.send({ port, codec: json(), args: 7 })).rejects.toMatchObject({
      code: 'ERR_SINGLETON_INVALID_ARGS',
    });
    const warned = once(app, 'warning');
    await Singleton.send({ port, args: ['too long'] });
    await warned;
    expect(received).toEqual([{ file: 'b' }, ['c']]);
    expect(warnings.map(({ code }) => code)).toEqual(['ERR_SINGLETON_INVALID_ARGS', 'ERR_SINGLETON_INVALID_ARGS']);
  });

  it('refuses a structured client with a codec that it does not have', async () => {
    const app = await startHost(names);
    const warned = once(app, 'warning');
    const cbor = lengthPrefixed<Strings>({ name: 'cbor', serialize: () => Buffer.of(0), deserialize: () => [] });
    const sending = Singleton.send({ port: portOf(app), codec: cbor, args: ['a'] });
    await expect(sending).rejects.toMatchObject({ code: 'ERR_SINGLETON_UNSUPPORTED_VERSION' });
    expect(await warned).toMatchObject([{ code: 'ERR_SINGLETON_UNSUPPORTED_VERSION' }]);
    const wire = await RawConnection.open(app);
    wire.write(clientHello({ codec: 'jso', application: '' }));
    expect(await wire.read(12)).toEqual(Buffer.from('f553534c0d0a1a0a01020000', 'hex'));
  });

  it.each<[string, string, string]>([
    ['HTTP', 'GET / HTTP/1.1\r\n\r\n', 'ERR_SINGLETON_MALFORMED_MESSAGE'],
    ['bytes that are not UTF-8', '\u{ff}\0', 'ERR_SINGLETON_MALFORMED_MESSAGE'],
    ['a launch that breaks off', 'argument', 'ERR_SINGLETON_TRUNCATED_MESSAGE'],
    ['the first byte of a hello, and no more', '\u{f5}', 'ERR_SINGLETON_TRUNCATED_MESSAGE'],
    ['a hello with another magic', '\u{f5}SSL\r\n\u{1a}\r', 'ERR_SINGLETON_MALFORMED_MESSAGE'],
  ])('warns once of %s, and does not count it', async (_, text, code) => {
    const app = await startHost(names);
    const warned = once(app, 'warning');
    await sendBytes(app, Buffer.from(text, 'latin1'));
    expect(await warned).toMatchObject([{ code }]);
    const { warnings } = recordEvents(app);
    await Singleton.send({ port: portOf(app), args: ['a'] });
    expect([app.clients, warnings]).toEqual([1, []]);
  });
});

describe('the option codec, as a list,', () => {
  it('refuses two codecs of one name, an empty list and what is no codec', () => {
    // Boundaries: JavaScript may pass anything.
    const lists: any[] = [
      [json(), json()],
      [json(), msgpack(), json()],
      [],
      [undefined, json()],
      [json(), json],
      [json(), null],
    ];
    for (const codec of lists) expect(() => new Singleton({ codec, args: [] })).toThrow(invalid('codec'));
  });

  it.each([
    [['json', 'legacy'], { name: 'notes' }, 'name'],
    [['legacy', 'json'], { name: 'notes' }, 'name'],
    [['legacy', 'json'], { wait: true }, 'wait'],
    [['legacy', 'json'], { forwardEnv: ['A'] }, 'forwardEnv'],
    [['legacy', 'json'], { replace: true }, 'replace'],
    [['json', 'legacy'], { secret: 'a\0b' }, 'secret'],
    [['legacy'], { allowReplace: true }, 'allowReplace'],
  ])('lets each codec of %j check the options %j', (names, options, option) => {
    expect(() => new Singleton<Strings>({ codec: codecsOf(names), args: [], ...options })).toThrow(invalid(option));
  });

  it.each([
    [['json', 'legacy'], { wait: true, forwardEnv: ['A'], replace: true, allowReplace: true }],
    [['legacy', 'json'], { allowReplace: true }],
    [['json', 'msgpack'], { name: 'notes' }],
  ])('accepts with %j the options %j', (names, options) => {
    expect(() => new Singleton<Strings>({ codec: codecsOf(names), args: [], ...options })).not.toThrow();
  });

  it('checks the arguments of a launch by the first codec only', () => {
    const args = { file: 'a' };
    expect(() => new Singleton<unknown>({ codec: [json(), legacy()], args })).not.toThrow();
    expect(() => new Singleton<unknown>({ codec: [legacy(), json()], args })).toThrow(invalid('args'));
  });

  it('tells applications apart by their name if all codecs carry it', async () => {
    const app = await startHost(['json', 'msgpack'], { name: 'notes' });
    const shared = { port: portOf(app), args: ['a'] };
    for (const name of ['json', 'msgpack']) {
      const sending = Singleton.send({ ...shared, codec: codecOf(name), name: 'editor' });
      await expect(sending).rejects.toMatchObject({ code: 'ERR_SINGLETON_WRONG_APPLICATION' });
      expect(await Singleton.send({ ...shared, codec: codecOf(name), name: 'notes' })).toMatchObject({
        outcome: 'delivered',
      });
    }
  });

  it('frees the endpoint again if one of the codecs cannot be loaded', async () => {
    const cause = new Error('not installed');
    const broken = lengthPrefixed<Strings>({
      name: 'broken',
      serialize: () => Buffer.of(0),
      deserialize: () => [],
      load: () => Promise.reject(cause),
    });
    const transport = endpoints.memory();
    const acquiring = new Singleton<Strings>({
      transport,
      codec: [json<Strings>(), legacy(), broken],
      args: [],
    }).acquire();
    await expect(acquiring).rejects.toMatchObject({ code: 'ERR_SINGLETON_INVALID_OPTION' });
    expect((await startHost(['json', 'legacy'], { transport })).listening).toBe(true);
  });
});

describe('the first byte of a connection', () => {
  let transport: ScriptedTransport;
  let app: Singleton;
  let heard: ReturnType<typeof recordEvents>;

  beforeEach(async () => {
    transport = new ScriptedTransport();
    app = await startHost(['json', 'msgpack', 'legacy'], { transport });
    heard = recordEvents(app);
  });

  const launches: Readonly<Record<string, Buffer>> = {
    json: helloAndLaunch('json', Buffer.from('["a"]')),
    msgpack: helloAndLaunch('msgpack', Buffer.from('91a161', 'hex')),
    legacy: Buffer.from(encode(['a'])),
  };
  const bytesOf = (name: string): Buffer => launches[name] ?? Buffer.alloc(0);

  /** The client of a launch that arrives in chunks, each in a turn of its own. */
  async function launched(name: string, chunks: readonly Buffer[]): Promise<Client> {
    const counted = once(app, 'client');
    const connection = transport.connectClient();
    for (const chunk of chunks) {
      connection.push(chunk);
      await setImmediate();
    }
    if (name === 'legacy') connection.push(null);
    await counted;
    const [client] = heard.clients.slice(-1);
    if (!client) throw new Error('Expected a client.');
    return client;
  }

  it.each(['json', 'msgpack', 'legacy'])(
    'may arrive alone, and all others too, from a client with %s',
    async (name) => {
      const bytes = bytesOf(name);
      expect(await launched(name, [bytes])).toMatchObject({ codec: name });
      expect(await launched(name, [bytes.subarray(0, 1), bytes.subarray(1)])).toMatchObject({ codec: name });
      const single = Array.from(bytes, (byte) => Buffer.of(byte));
      expect(await launched(name, single)).toMatchObject({ codec: name, number: 3 });
      expect([heard.args, heard.warnings]).toEqual([[['a'], ['a'], ['a']], []]);
    },
  );

  it('may arrive together with the end', async () => {
    const connection = transport.connectClient();
    const counted = once(app, 'client');
    connection.push(bytesOf('legacy'));
    connection.push(null);
    await counted;
    expect(heard.args).toEqual([['a']]);
  });

  it.each([0, 1])(
    'may be missing: an end after %i turns is neither counted nor reported, nor answered by a reset',
    async (turns) => {
      const connection = transport.connectClient();
      for (let turn = 0; turn < turns; turn += 1) await setImmediate();
      const closed = once(connection, 'close');
      connection.push(null);
      await closed;
      expect([connection.wasReset, connection.received, heard.order]).toEqual([false, '', []]);
    },
  );

  it('is waited for no longer than receiveTimeout; then the connection is reset, with one warning', async () => {
    const host = await startHost(['json', 'legacy'], { receiveTimeout: 20 });
    const { warnings } = recordEvents(host);
    expect(await waitForClose(await connect(host))).toBe('reset');
    expect(warnings).toEqual(['ERR_SINGLETON_CONNECTION_FAILED']);
  });

  it('has not arrived at connections that are reset to make room, oldest first', async () => {
    const host = await startHost(['json', 'legacy'], { maxConnections: 2 });
    const { warnings } = recordEvents(host);
    const silent = await connect(host);
    const closing = waitForClose(silent);
    const more = [await connect(host), await connect(host)];
    expect(await closing).toBe('reset');
    expect(await Singleton.send({ port: portOf(host), args: ['a'] })).toEqual({ outcome: 'unconfirmed' });
    expect(warnings).toEqual(['ERR_SINGLETON_BUSY', 'ERR_SINGLETON_BUSY']);
    expect(more.filter(({ closed }) => !closed).length).toBeGreaterThan(0);
  });

  it('has not arrived at 300 connections that are reset, and a hundred of them are a warning', async () => {
    const host = await startHost(['json', 'legacy'], { maxConnections: 1 });
    const { warnings } = recordEvents(host);
    const connections = await Promise.all(Array.from({ length: 300 }, () => connect(host)));
    const closing = connections.map(waitForClose);
    await Singleton.send({ port: portOf(host), args: ['a'] });
    expect(new Set(await Promise.all(closing))).toEqual(new Set(['reset']));
    expect(warnings.length).toBeLessThanOrEqual(100);
  });

  it('may arrive after a release, for a second', async () => {
    const connection = transport.connectClient();
    const releasing = app.release();
    connection.push(bytesOf('legacy'));
    connection.push(null);
    await releasing;
    expect(heard.order).toEqual(['client', 'args', 'release manual']);
  });

  it('has not arrived when the process exits: the connection is reset, so that its client tries again', async () => {
    const connection = transport.connectClient();
    await setImmediate();
    // What Node calls at the end of the process.
    const [onExit] = process.listeners('exit').slice(-1);
    onExit?.(0);
    expect([connection.wasReset, heard.order]).toEqual([true, []]);
  });

  it('fails with its connection, which is a warning', async () => {
    const connection = transport.connectClient();
    await setImmediate();
    connection.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }));
    await once(app, 'warning');
    expect(heard.warnings).toEqual(['ERR_SINGLETON_CONNECTION_FAILED']);
  });

  it('decides even if it is the first of a hello that is split anywhere', async () => {
    const bytes = bytesOf('json');
    for (let at = 1; at < bytes.length; at += 1)
      expect(await launched('json', [bytes.subarray(0, at), bytes.subarray(at)])).toMatchObject({ codec: 'json' });
    expect(transport.connections.every(({ received }) => Buffer.from(received).length >= HOST_HELLO.length)).toBe(true);
  });
});
