import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { describe, expect, onTestFinished, test } from 'vitest';
import { json } from '../../src/codecs/json.ts';
import { msgpack } from '../../src/codecs/msgpack.ts';
import { Singleton, type SingletonError } from '../../src/index.ts';
import { frames } from '../../src/protocol/frames.ts';
import { encodeClientHello, encodeHostHello } from '../../src/protocol/hello.ts';
import { encode } from '../../src/protocol/legacy/message.ts';
import * as launchMessage from '../../src/protocol/launch.ts';
import * as messages from '../../src/protocol/messages.ts';
import * as session from '../../src/protocol/session/messages.ts';
import { Handshake } from '../../src/protocol/secure/noise.ts';
import { pskOf } from '../../src/protocol/secure/handshake.ts';
import { clientHello, hostHello, launch } from '../helpers/vectors/bytes.ts';
import { legacyVectors, securedVectors } from '../helpers/vectors/dialogues.ts';
import { messageVectors, type MessageVector } from '../helpers/vectors/messages.ts';
import { valueVectors, type DecodedValue, type ValueVector } from '../helpers/vectors/values.ts';
import { RawConnection, readFrame, serve } from '../helpers/wire.ts';
import { readClientHello, readHostHello } from '../helpers/read.ts';

const EMPTY = Buffer.alloc(0);

describe('the messages of docs/vectors.json', () => {
  test.each(messageVectors().map((vector) => [vector.name, vector] as const))(
    'are read as they say: %s',
    async (_, vector) => {
      const read = READERS[vector.message];
      if (!read) throw new Error(`no reader for "${vector.message}"`);
      const decoded = Promise.resolve(Buffer.from(vector.hex, 'hex')).then(read);
      if (vector.decoded !== null) return expect(await decoded).toEqual(expectedOf(vector));
      const status = /^status (\d)$/.exec(vector.reaction)?.[1];
      if (status !== undefined) return expect(await decoded).toBe(Number(status));
      await expect(decoded).rejects.toMatchObject({ code: expect.stringMatching(codeOf(vector)) });
    },
  );

  const written = messageVectors().filter((vector) => vector.written && WRITERS[vector.message]);
  test.each(written.map((vector) => [vector.name, vector] as const))('are written as they say: %s', (_, vector) => {
    expect(hexOf(WRITERS[vector.message]?.(expectedOf(vector)) ?? EMPTY)).toBe(vector.hex);
  });
});

/** The error of a receiver that this reaction follows. */
function codeOf({ reaction, message }: MessageVector): RegExp {
  if (reaction === 'refusal 2') return /MESSAGE_TOO_LARGE/;
  return message === 'host hello' ? /FOREIGN_HOST/ : /MALFORMED_MESSAGE|TRUNCATED_MESSAGE/;
}

const READERS: Readonly<Record<string, (bytes: Buffer) => unknown>> = {
  'client hello': async (bytes) => {
    const hello = await readClientHello(streamOf(bytes));
    if (typeof hello !== 'object') return hello;
    expect(hello.bytes).toEqual(bytes);
    return { isSecured: hello.isSecured, codec: String(hello.codec), application: String(hello.application) };
  },
  'host hello': async (bytes) => {
    const { version, status } = (await readHostHello(streamOf(bytes))) ?? {};
    return { version, status };
  },
  launch: (bytes) => {
    const { args, ...rest } = launchMessage.decodeLaunch(only(bytes));
    return { ...rest, args: parse(args) };
  },
  receipt: (bytes) => messages.decodeReceipt(only(bytes)),
  refusal: (bytes) => messages.decodeRefusal(only(bytes)),
  'status request': (bytes) => only(bytes).kind,
  status: (bytes) => messages.decodeStatus(only(bytes)),
  replace: (bytes) => only(bytes).kind,
  replaced: (bytes) => only(bytes).kind,
  reply: (bytes) => parse(only(bytes).body),
  exit: (bytes) => session.decodeExit(only(bytes)),
  stdout: (bytes) => hexOf(only(bytes).body),
  stderr: (bytes) => hexOf(only(bytes).body),
  stdin: (bytes) => hexOf(only(bytes).body),
  'window update': (bytes) => session.decodeWindowUpdate(only(bytes)),
  resize: (bytes) => session.decodeResize(only(bytes)),
  signal: (bytes) => session.decodeSignal(only(bytes)),
  skipped: (bytes) => decode(bytes),
};

/** Without "hello" the writers take what `expectedOf` returns. */
const WRITERS: Readonly<Record<string, (decoded: any) => Uint8Array>> = {
  'client hello': ({ isSecured, codec, application }) =>
    encodeClientHello({ isSecured, codec: Buffer.from(codec), application: Buffer.from(application) }),
  'host hello': ({ status }) => encodeHostHello(status),
  launch: ({ args, ...rest }) =>
    frames.encode(launchMessage.encodeLaunch({ ...rest, args: Buffer.from(JSON.stringify(args)) })),
  receipt: (decoded) => frames.encode(messages.encodeReceipt(decoded)),
  refusal: ({ refusal, text }) => frames.encode(messages.encodeRefusal(refusal, text)),
  status: (decoded) => frames.encode(messages.encodeStatus(decoded)),
  exit: (code) => frames.encode(session.encodeExit(code)),
  'window update': (bytes) => frames.encode(session.encodeWindowUpdate(bytes)),
  resize: (terminals) => Buffer.concat(session.encodeResize(terminals).map((frame) => frames.encode(frame))),
  signal: (name) => frames.encode(session.encodeSignal(name)),
};

/** What the decoders of this library return for the decoded form of a vector. `any`: each message has its own form. */
function expectedOf({ message, decoded }: MessageVector): any {
  const form: any = decoded;
  switch (message) {
    case 'client hello':
      return { isSecured: form.secured, codec: form.codec, application: form.application };
    case 'host hello':
      return { version: form.version, status: form.status };
    case 'launch':
      return {
        args: form.arguments,
        cwd: form.cwd ?? undefined,
        pid: form.pid ?? undefined,
        wait: form.waits,
        version: textIn(form.fields, 'version'),
        token: named(form.fields, 'token').at(-1)?.number,
        env: Object.fromEntries(named(form.fields, 'env').map(({ variable, value }) => [variable, value])),
        terminals: Object.assign({}, ...named(form.fields, 'terminal').map(terminalOf)),
      };
    case 'receipt':
      return {
        outcome: form.outcome,
        client: form.client,
        pid: form.pid,
        since: form.since,
        ...hostFields(form.fields),
      };
    case 'refusal':
      return { refusal: REASONS[form.reason - 1], text: textIn(form.fields, 'message') };
    case 'status': {
      const { fields, ...counts } = form;
      return { ...counts, ...hostFields(fields), codecs: named(fields, 'codec').map(({ text }) => text) };
    }
    case 'status request':
      return 10;
    case 'replace':
      return 12;
    case 'replaced':
      return 13;
    case 'reply':
      return form.value;
    case 'exit':
      return form.code;
    case 'signal':
      return form.signal;
    case 'resize':
      return terminalOf(form);
    case 'skipped':
      return [];
    default:
      return form.bytes;
  }
}

const REASONS = [
  'ERR_SINGLETON_INVALID_ARGS',
  'ERR_SINGLETON_MESSAGE_TOO_LARGE',
  'ERR_SINGLETON_MALFORMED_MESSAGE',
  'ERR_SINGLETON_BUSY',
  'not-taken',
  'ERR_SINGLETON_LISTENER_FAILED',
  'ERR_SINGLETON_RELEASED',
  'ERR_SINGLETON_REPLACE_REFUSED',
];

function named(fields: readonly any[], name: string): readonly any[] {
  return fields.filter((field) => field.name === name);
}

function hostFields(fields: readonly any[]): object {
  const token = named(fields, 'token').at(-1)?.number;
  return { version: textIn(fields, 'version'), token, address: textIn(fields, 'address') };
}

function textIn(fields: readonly any[], name: string): string | undefined {
  return named(fields, name).at(-1)?.text;
}

function terminalOf({ stream, depth, columns, rows }: any): object {
  const name = ['stdout', 'stderr'][stream - 1];
  return name === undefined ? {} : { [name]: { colorDepth: depth, columns, rows } };
}

function streamOf(bytes: Uint8Array): PassThrough {
  const stream = new PassThrough();
  stream.end(bytes);
  return stream;
}

/** @throws what the decoder throws for the length too */
function decode(bytes: Buffer): readonly messages.Frame[] {
  const decoder = frames.createDecoder({ maxMessageBytes: 1_048_576 });
  const decoded = decoder.push(bytes);
  decoder.push(EMPTY);
  return decoded;
}

function only(bytes: Buffer): messages.Frame {
  const [frame] = decode(bytes);
  if (!frame) throw new Error('no frame');
  return frame;
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString());
  } catch {
    throw Object.assign(new Error('not JSON'), { code: 'ERR_SINGLETON_MALFORMED_MESSAGE' });
  }
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

const CODECS = { json, msgpack };

describe('the values of docs/vectors.json', () => {
  test.each(valueVectors().map((vector) => [vector.name, vector] as const))(
    'are read as they say: %s',
    async (_, vector) => {
      const app = await Singleton.acquire<any>({ port: 0, name: 'notes', codec: CODECS[vector.codec](), args: null });
      onTestFinished(() => app.release());
      const launched = once(app, 'args');
      const connection = await RawConnection.open(app);
      connection.write(Buffer.concat([clientHello({ codec: vector.codec }), launch({ args: bytesOf(vector) })]));
      await connection.read(12);
      const { kind, body } = await readFrame(connection);
      connection.end();
      if (!vector.decoded) return expect([kind, body[0]]).toEqual([3, 3]);
      expect(kind).toBe(2);
      const value = valueOf(vector.decoded);
      // A launch with an empty list has nothing to dispatch.
      if (!Array.isArray(value) || value.length > 0) expect((await launched)[0]).toEqual(value);
    },
  );

  const written = valueVectors().filter((vector) => vector.written);
  test.each(written.map((vector) => [vector.name, vector] as const))(
    'are written as they say: %s',
    async (_, vector) => {
      const sent: Buffer[] = [];
      const { port } = await serve([
        async (connection) => {
          await connection.read(clientHello({ codec: vector.codec }).length);
          connection.write(hostHello(0));
          sent.push((await readFrame(connection)).body);
          connection.end();
        },
      ]);
      const value = vector.decoded && valueOf(vector.decoded);
      const sending = Singleton.send<any>({ port, name: 'notes', codec: CODECS[vector.codec](), args: value });
      await expect(sending).rejects.toMatchObject({ code: 'ERR_SINGLETON_CONNECTION_FAILED' });
      expect(argumentsOf(sent[0] ?? EMPTY).equals(bytesOf(vector))).toBe(true);
    },
  );
});

/** What follows the fields of a launch. */
function argumentsOf(body: Buffer): Buffer {
  const fields = 7 + body.readUInt16BE(5);
  return body.subarray(fields + 4 + body.readUInt32BE(fields));
}

function bytesOf({ parts }: ValueVector): Buffer {
  return Buffer.concat(parts.map(({ hex, times }) => Buffer.from(hex.repeat(times), 'hex')));
}

function valueOf(decoded: DecodedValue): unknown {
  if ('json' in decoded) return decoded.json;
  if ('bigint' in decoded) return BigInt(decoded.bigint);
  if ('number' in decoded) return Number(decoded.number);
  if ('bytes' in decoded) return new Uint8Array(Buffer.from(decoded.bytes, 'hex'));
  if ('count' in decoded) return Array(decoded.count).fill(decoded.item);
  let value: unknown[] = [];
  for (let depth = 1; depth < decoded.depth; depth += 1) value = [value];
  return value;
}

describe('the legacy messages of docs/vectors.json', () => {
  test.each(legacyVectors().map((vector) => [vector.name, vector] as const))(
    'are read as they say: %s',
    async (_, vector) => {
      const { secret, decoded, reaction } = vector;
      const app = await Singleton.acquire({ port: 0, secret: secret ?? undefined });
      onTestFinished(() => app.release());
      const launches: (readonly string[])[] = [];
      const reports: (SingletonError | object)[] = [];
      app.on('client', (client) => reports.push(client));
      app.on('args', (args) => launches.push(args));
      const failures: unknown[] = [];
      app.on('warning', (warning) => failures.push(warning));
      app.on('verifyFailed', (failure) => failures.push(failure));
      const connection = await RawConnection.open(app);
      connection.end(Buffer.from(vector.hex, 'hex'));
      const answer = await connection.readToEnd();
      expect(connection.isReset).toBe(reaction === 'reset');
      expect(answer).toEqual(reaction === 'status 2' ? hostHello(2) : EMPTY);
      expect(reports).toHaveLength(reaction === 'accept' ? 1 : 0);
      // An empty list is counted, and has nothing to dispatch.
      expect(launches).toEqual(decoded && decoded.length > 0 ? [decoded] : []);
      expect(failures.length).toBe(reaction === 'accept' || reaction === 'ignore' ? 0 : 1);
    },
  );

  const written = legacyVectors().filter((vector) => vector.written);
  test.each(written.map((vector) => [vector.name, vector] as const))('are written as they say: %s', (_, vector) => {
    const parts = [...(vector.secret === null ? [] : [vector.secret]), ...(vector.decoded ?? [])];
    expect(hexOf(encode(parts))).toBe(vector.hex);
  });
});

describe('the secured connections of docs/vectors.json', () => {
  test.each(securedVectors().map((vector) => [vector.name, vector] as const))(
    'have the bytes of this library: %s',
    (_, vector) => {
      const psk = pskOf(Buffer.from(vector.secret));
      expect(hexOf(psk)).toBe(vector.psk);
      const known = { psk, prologue: unhex(vector.prologue) };
      const client = new Handshake({ ...known, role: 'initiator', ephemeral: unhex(vector.clientPrivateKey) });
      const host = new Handshake({ ...known, role: 'responder', ephemeral: unhex(vector.hostPrivateKey) });
      expect(hexOf(client.write())).toBe(vector.firstMessage);
      expect(host.tryRead(unhex(vector.firstMessage))).toHaveLength(0);
      expect(hexOf(host.write(unhex(vector.hostHello)))).toBe(vector.secondMessage);
      expect(hexOf(client.tryRead(unhex(vector.secondMessage)) ?? EMPTY)).toBe(vector.hostHello);
      const ciphers = { client: client.split(), host: host.split() };
      expect(hexOf(ciphers.client.handshakeHash)).toBe(vector.handshakeHash);
      for (const { from, hex, plaintext } of vector.records) {
        const sealed = Buffer.concat(ciphers[from].send.encrypt(unhex(plaintext)));
        expect(hexOf(Buffer.concat([Buffer.of(sealed.length >> 8, sealed.length & 0xff), sealed]))).toBe(hex);
      }
    },
  );
});

function unhex(hex: string): Buffer {
  return Buffer.from(hex, 'hex');
}
