import { once } from 'node:events';
import { createServer } from 'node:net';
import { inspect } from 'node:util';
import { type } from 'arktype';
import * as v from 'valibot';
import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { json } from '../../../src/codecs/json.ts';
import { lengthPrefixed } from '../../../src/codecs/length-prefixed.ts';
import { legacy, type Schema, Singleton, type SingletonError } from '../../../src/index.ts';
import { MARKER } from '../../helpers/codec-compliance.ts';
import { portOf } from '../../helpers/host.ts';
import { optionErrorMessage } from '../../helpers/javascript-caller.ts';

interface Given {
  readonly file: string;
  readonly line?: number | undefined;
}
interface Job {
  readonly file: string;
  readonly line: number;
}

/** The same schema three times: a file is not empty and has a mark added, a line defaults to 1. */
const schemas: readonly (readonly [string, Schema<Given, Job>])[] = [
  ['zod', z.object({ file: z.string().min(1).transform(mark), line: z.number().default(1) })],
  [
    'valibot',
    v.object({ file: v.pipe(v.string(), v.minLength(1), v.transform(mark)), line: v.optional(v.number(), 1) }),
  ],
  ['arktype', type({ file: type('string > 0').pipe(mark), line: 'number = 1' })],
];

const codec = json();

function mark(file: string): string {
  return `${file}!`;
}

/** A schema that behaves as the test wants. */
function schemaOf<T>(validate: () => Promise<{ readonly value: T }>): Schema<unknown, T> {
  return { '~standard': { version: 1, vendor: 'test', validate } };
}

interface Heard<T> {
  readonly app: Singleton<T>;
  readonly warnings: SingletonError[];
}

/** Acquires, and releases when the test ends. */
async function host<T>(singleton: Singleton<T>): Promise<Heard<T>> {
  const app = await singleton.acquire();
  onTestFinished(() => app.release());
  const heard: Heard<T> = { app, warnings: [] };
  app.on('warning', (warning) => heard.warnings.push(warning));
  return heard;
}

/** The receipt or the error of a launch that has no schema. */
function launch<T>({ app }: Heard<T>, args: unknown): Promise<unknown> {
  return Singleton.send({ port: portOf(app), codec, args }).catch((error: unknown) => error);
}

describe.each(schemas)('a schema of %s', (_, schema) => {
  const startHost = (): Promise<Heard<Job>> =>
    host(new Singleton<Job>({ port: 0, codec, schema, args: { file: 'own' } }));

  it('passes its output to listeners, once, on the host', async () => {
    const { app, warnings } = await startHost();
    const send = (args: Given): Promise<unknown> => Singleton.send({ port: portOf(app), codec, schema, args });
    expect(await send({ file: 'a' })).toMatchObject({ outcome: 'delivered', client: 1 });
    await send({ file: 'b', line: 2 });
    expect(app.arguments).toStrictEqual([
      { file: 'a!', line: 1 },
      { file: 'b!', line: 2 },
    ]);
    expect(warnings).toEqual([]);
  });

  it('refuses invalid arguments before anything is sent, with the path and its issues', async () => {
    const endpoint = await listen();
    for (const args of [{ file: '' }, JSON.parse('{ "file": "a", "line": "2" }')]) {
      const error = await Singleton.send({ port: endpoint.port, codec, schema, args }).catch(
        (reason: unknown) => reason,
      );
      const path = args.file === '' ? 'file' : 'line';
      expect(error).toMatchObject({ name: 'SingletonError', code: 'ERR_SINGLETON_INVALID_ARGS' });
      expect(error).toHaveProperty('message', expect.stringContaining(`args.${path}: `));
      expect(error).toHaveProperty('cause.issues.0.message', expect.any(String));
    }
    expect(endpoint.connections).toBe(0);
  });

  it('refuses on the host what a client without it sends: with a warning, neither counted nor dispatched', async () => {
    const heard = await startHost();
    const error = await launch(heard, { file: '', [MARKER]: MARKER, line: MARKER });
    expect(error).toMatchObject({ name: 'SingletonError', code: 'ERR_SINGLETON_INVALID_ARGS' });
    expect(heard.warnings).toMatchObject([
      { code: 'ERR_SINGLETON_INVALID_ARGS', cause: { issues: expect.anything() } },
    ]);
    expect(heard.app).toMatchObject({ clients: 0, arguments: [] });
    for (const warning of heard.warnings) expect(inspect(warning, { depth: 9 })).not.toContain(MARKER);
    expect(String(error)).not.toContain(MARKER);
    await launch(heard, { file: 'a' });
    expect(heard.app.arguments).toEqual([{ file: 'a!', line: 1 }]);
  });
});

describe('a schema with many issues', () => {
  it('lists the first three issues and the number of the others in the message', async () => {
    const letters = ['a', 'b', 'c', 'd', 'e'];
    const schema = z.object(Object.fromEntries(letters.map((key) => [key, z.array(z.number().min(5))])));
    const args = Object.fromEntries(letters.map((key) => [key, [9, 1]]));
    const sent = Singleton.send({ port: 1, codec, schema, args });
    await expect(sent).rejects.toThrow(/args\.a\.1: .*args\.b\.1: .*args\.c\.1: .*and 2 more\.$/);
  });
});

describe('a schema that is slow', () => {
  const even = z.number().refine((value) => Promise.resolve(value % 2 === 0));

  it('delays the launch on both sides', async () => {
    const heard = await host(new Singleton<number>({ port: 0, codec, schema: even, args: 0 }));
    const port = portOf(heard.app);
    const odd = Singleton.send({ port, codec, schema: even, args: 3 });
    await expect(odd).rejects.toMatchObject({ code: 'ERR_SINGLETON_INVALID_ARGS' });
    expect(await launch(heard, 5)).toMatchObject({ code: 'ERR_SINGLETON_INVALID_ARGS' });
    expect(await Singleton.send({ port, codec, schema: even, args: 4 })).toMatchObject({ client: 1 });
    expect(heard.app.arguments).toEqual([4]);
    expect(heard.warnings).toMatchObject([{ code: 'ERR_SINGLETON_INVALID_ARGS' }]);
  });

  const never = schemaOf(() => new Promise<{ readonly value: number }>(() => {}));

  it('fails the launch at receiveTimeout on the host, which serves others meanwhile', async () => {
    let isFirst = true;
    const settlesLater = schemaOf(() => {
      const result = isFirst ? new Promise<{ readonly value: number }>(() => {}) : Promise.resolve({ value: 2 });
      isFirst = false;
      return result;
    });
    const heard = await host(
      new Singleton<number>({ port: 0, codec, schema: settlesLater, args: 0, receiveTimeout: 500 }),
    );
    const [, second] = await Promise.all([
      launch(heard, 'slow'),
      new Promise((resolve) => setImmediate(resolve)).then(() => launch(heard, 'fast')),
    ]);
    expect(second).toMatchObject({ outcome: 'delivered' });
    expect(heard.warnings).toMatchObject([{ code: 'ERR_SINGLETON_CONNECTION_FAILED' }]);
    expect(heard.warnings[0]?.message).toContain('receiveTimeout');
    // The launch was not accepted, so it was delivered again.
    expect(heard.app.arguments).toEqual([2, 2]);
  });

  it('fails the launch at deliveryTimeout on the client', async () => {
    const sent = Singleton.send({ port: 1, codec, schema: never, args: 1, deliveryTimeout: 30 });
    await expect(sent).rejects.toMatchObject({ name: 'SingletonError', code: 'ERR_SINGLETON_INVALID_ARGS' });
  });
});

describe('a host with a schema', () => {
  it('emits a warning with the error as the cause, and refuses the client, when the schema throws', async () => {
    const cause = new Error('boom');
    const throwing = schemaOf<number>(() => {
      throw cause;
    });
    const rejecting = schemaOf<number>(() => Promise.reject(cause));
    for (const schema of [throwing, rejecting]) {
      const heard = await host(new Singleton<number>({ port: 0, codec, schema, args: 0 }));
      expect(await launch(heard, 1)).toMatchObject({ code: 'ERR_SINGLETON_INVALID_ARGS' });
      expect(heard).toMatchObject({ app: { clients: 0 }, warnings: [{ code: 'ERR_SINGLETON_INVALID_ARGS', cause }] });
    }
  });

  it('accepts launches over the legacy codec, which cannot report a refusal to the client', async () => {
    const schema = z
      .tuple([z.string().min(1), z.coerce.number<string>()])
      .transform(([file, line]) => ({ file, line }));
    const { app, warnings } = await host(new Singleton<Job>({ port: 0, codec: legacy(), schema, args: ['own', '1'] }));
    const port = portOf(app);
    await Singleton.send({ port, codec: legacy(), schema, args: ['a', '2'] });
    expect(app.arguments).toEqual([{ file: 'a', line: 2 }]);
    const invalid = Singleton.send({ port, codec: legacy(), schema, args: ['', '2'] });
    await expect(invalid).rejects.toMatchObject({ code: 'ERR_SINGLETON_INVALID_ARGS' });
    const warned = once(app, 'warning');
    expect(await Singleton.send({ port, args: ['a', MARKER] })).toEqual({ outcome: 'unconfirmed' });
    await warned;
    expect(warnings).toMatchObject([{ code: 'ERR_SINGLETON_INVALID_ARGS' }]);
    expect(warnings[0]?.message).not.toContain(MARKER);
    expect(app.clients).toBe(1);
  });

  it('does not pass unverified arguments to the schema', async () => {
    let seen = 0;
    const schema = schemaOf(() => {
      seen += 1;
      return Promise.resolve({ value: 1 });
    });
    const { app } = await host(new Singleton<number>({ port: 0, codec, schema, args: 0, secret: 'x'.repeat(16) }));
    const failed = once(app, 'verifyFailed');
    await expect(Singleton.send({ port: portOf(app), codec, args: 1 })).rejects.toMatchObject({
      code: 'ERR_SINGLETON_VERIFICATION_FAILED',
    });
    await failed;
    expect(seen).toBe(0);
  });

  it.each([null, 7, 'a', {}, { '~standard': null }, { '~standard': { validate: 1 } }, () => true])(
    'refuses %o as the option schema',
    (schema) => {
      expect(optionErrorMessage({ schema })).toMatch(/^Option "schema": expected a Standard Schema, got /);
    },
  );

  it('keeps the other fields of a launch, and its wait for a result', async () => {
    const schema = z.number();
    const app = await Singleton.acquire({ port: 0, codec: json(), schema, args: 1 });
    onTestFinished(() => app.release());
    const seen: unknown[] = [];
    app.on('args', (_, client) => {
      seen.push({ cwd: client.cwd, pid: client.pid, waiting: client.waiting });
      client.reply(2);
    });
    const sent = await Singleton.send({ port: portOf(app), codec: json(), schema, args: 1, wait: true });
    expect(sent).toMatchObject({ outcome: 'delivered', reply: 2 });
    expect(seen).toEqual([{ cwd: process.cwd(), pid: process.pid, waiting: true }]);
  });
});

describe('a client whose signal was aborted before', () => {
  it('rejects before its schema settles', async () => {
    const schema = schemaOf<number>(() => new Promise(() => {}));
    const sent = Singleton.send({ codec: json(), args: 1, schema, signal: AbortSignal.abort() });
    await expect(sent).rejects.toMatchObject({ code: 'ERR_SINGLETON_RELEASED' });
  });
});

describe('a client whose schema or serializer misbehaves', () => {
  it.each([
    ['throws', schemaOf<number>(() => Promise.reject(new Error('boom')))],
    [
      'has a getter that throws',
      schemaOf<number>(async () => Object.defineProperty({ value: 1 }, 'issues', { get: raise })),
    ],
    ['returns no result', schemaOf<number>(async () => JSON.parse('null'))],
    ['returns issues that are not a list', schemaOf<number>(async () => JSON.parse('{ "issues": true }'))],
    ['returns an empty list of issues', schemaOf<number>(async () => JSON.parse('{ "issues": [] }'))],
    [
      'returns issues without a path or a message',
      schemaOf<number>(async () => JSON.parse('{ "issues": [null, {}] }')),
    ],
    ['returns a path with null', schemaOf<number>(async () => JSON.parse('{ "issues": [{ "path": [null] }] }'))],
  ])('rejects with INVALID_ARGS if the schema %s', async (_, schema) => {
    const { port } = await listen();
    await expect(Singleton.send({ port, codec: json(), args: 1, schema })).rejects.toMatchObject({
      name: 'SingletonError',
      code: 'ERR_SINGLETON_INVALID_ARGS',
    });
  });

  it('rejects with INVALID_ARGS by the deadline, and sends nothing, if the schema does not settle', async () => {
    const server = await listen();
    const schema = schemaOf<number>(() => new Promise(() => {}));
    const options = { port: server.port, codec: json(), args: 1, schema, deliveryTimeout: 20 };
    const code = 'ERR_SINGLETON_INVALID_ARGS';
    await expect(Singleton.send(options)).rejects.toMatchObject({ code });
    await expect(Singleton.acquire(options)).rejects.toMatchObject({ code });
    expect(server.connections).toBe(0);
  });

  it('rejects with UNENCODABLE, and no unhandled rejection, if the serializer rejects', async () => {
    const { port } = await listen();
    const serialize: () => never = JSON.parse('[]').at.bind([Promise.reject(new Error('boom'))], 0);
    const text = lengthPrefixed<unknown>({ name: 'text', serialize, deserialize: String });
    await expect(Singleton.send({ port, codec: text, args: 1 })).rejects.toMatchObject({
      code: 'ERR_SINGLETON_UNENCODABLE',
    });
    await new Promise(setImmediate);
  });

  it('rejects with UNENCODABLE if the serializer returns no bytes', async () => {
    const server = await listen();
    const text = lengthPrefixed<unknown>({ name: 'text', serialize: () => JSON.parse('"text"'), deserialize: String });
    await expect(Singleton.send({ port: server.port, codec: text, args: 1 })).rejects.toMatchObject({
      code: 'ERR_SINGLETON_UNENCODABLE',
      cause: expect.any(TypeError),
    });
    expect(server.connections).toBe(0);
  });
});

/** A program that counts connections. */
async function listen(): Promise<{ readonly port: number; readonly connections: number }> {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.destroy();
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  return {
    port,
    get connections() {
      return connections;
    },
  };
}

function raise(): never {
  throw new Error('boom');
}
