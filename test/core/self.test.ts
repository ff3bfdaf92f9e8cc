import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { json } from '../../src/codecs/json.ts';
import { msgpack } from '../../src/codecs/msgpack.ts';
import { type Client, legacy, Singleton, type SingletonOptions } from '../../src/index.ts';
import { memory } from '../../src/transports/memory.ts';
import { launch, portOf, recordEvents, start } from '../helpers/host.ts';

type Strings = readonly string[];

const codecs = { legacy: () => legacy(), json: () => json<Strings>(), msgpack: () => msgpack<Strings>() };
const network = memory();
const SECRET = 'open sesame, open sesame';

/** A Singleton that dispatches its own launch, with streams of its own instead of those of the process. */
function ownLaunch(options: SingletonOptions = {}): { readonly app: Singleton } & Stdio {
  const stdio = { stdout: new PassThrough(), stderr: new PassThrough(), stdin: new PassThrough() };
  return { app: new Singleton({ port: 0, args: ['own'], self: true, ...stdio, ...options }), ...stdio };
}

interface Stdio {
  readonly stdout: PassThrough;
  readonly stderr: PassThrough;
  readonly stdin: PassThrough;
}

/** The next chunk of a stream, as text. */
async function chunkOf(stream: PassThrough): Promise<string> {
  const [chunk] = await once(stream, 'data');
  return String(chunk);
}

/** Resolves to the exit status of this process once it is set. */
async function exitCode(): Promise<unknown> {
  while (process.exitCode === undefined) await turn();
  return process.exitCode;
}

describe.each(['legacy', 'json', 'msgpack'] as const)('self: true, with %s,', (name) => {
  const codec = codecs[name]();

  it.each([undefined, SECRET])('dispatches the own launch before all others, with the secret %s', async (secret) => {
    const { app } = ownLaunch({ codec, secret, releaseThreshold: 2 });
    const { order, args } = recordEvents(app);
    const clients: Client[] = [];
    app.on('args', (_, client) => clients.push(client));
    await start(app);
    await launch(app, ['later'], { codec, secret });
    expect(args).toEqual([['own'], ['later']]);
    expect(order).toEqual(['args', 'client', 'args']);
    expect(clients.map(({ number, self, codec: by, pid }) => ({ number, self, by, pid }))).toEqual([
      { number: 0, self: true, by: name, pid: name === 'legacy' ? undefined : process.pid },
      { number: 1, self: false, by: name, pid: name === 'legacy' ? undefined : process.pid },
    ]);
    expect([app.clients, app.listening]).toEqual([1, true]);
  });

  it('keeps the own launch until there is a listener', async () => {
    const { app } = ownLaunch({ codec });
    await start(app);
    expect(app.arguments).toEqual([['own']]);
    const [args] = await once(app, 'args');
    expect(args).toEqual(['own']);
  });

  it('gives an own launch without arguments to a handler that is added later', async () => {
    const { app } = ownLaunch({ codec, args: [] });
    await start(app);
    const handled = new Promise((resolve) => app.handle((args, { number }) => resolve([args, number])));
    expect(await handled).toEqual([[], 0]);
  });

  it('does not give an own launch without arguments to listeners', async () => {
    const { app } = ownLaunch({ codec, args: [] });
    await start(app);
    const { args } = recordEvents(app);
    await launch(app, ['later'], { codec });
    expect(args).toEqual([['later']]);
  });

  it('has the streams of this process, and does not end them', async () => {
    const { app, stdout, stderr, stdin } = ownLaunch({ codec, wait: name !== 'legacy' });
    stdin.end('in');
    app.handle(async (_, client) => {
      client.stderr.end('err');
      client.stdin.pipe(client.stdout);
      await once(client.stdin, 'end');
    });
    const read = Promise.all([chunkOf(stdout), chunkOf(stderr)]);
    await start(app);
    expect(await read).toEqual(['in', 'err']);
    expect([stdout.writableEnded, stderr.writableEnded]).toEqual([false, false]);
  });

  it.runIf(name !== 'legacy')('does not dispatch the own launch again that a host may have run', async () => {
    const transport = network.transport(name);
    const host = await start(new Singleton({ transport, codec, args: [] }));
    host.on('args', () => network.crash(name));
    const { app } = ownLaunch({ codec, transport, port: undefined, strict: false });
    await start(app);
    const { args } = recordEvents(app);
    const [warning] = await once(app, 'warning');
    expect(warning).toMatchObject({ code: 'ERR_SINGLETON_CONNECTION_FAILED' });
    expect([app.listening, app.mayHaveRun, args, app.arguments]).toEqual([true, true, [], []]);
  });

  it('does not dispatch the own launch of a process that delivers it', async () => {
    const { app } = ownLaunch({ codec });
    const { args } = recordEvents(app);
    await start(app);
    const second = new Singleton({ port: portOf(app), codec, args: ['second'], self: true, strict: false });
    await expect(second.acquire()).rejects.toMatchObject({ code: 'ERR_SINGLETON_ALREADY_RUNNING' });
    expect(args).toEqual([['own'], ['second']]);
  });
});

describe('self: true with wait', () => {
  const codec = json<Strings>();
  beforeEach(() => {
    process.exitCode = undefined;
  });
  afterEach(() => {
    process.exitCode = undefined;
  });

  it.each<[string, (client: Client) => unknown, number]>([
    ['exit(3)', (client) => client.exit(3), 3],
    ['reply()', (client) => client.reply('done'), 0],
    ['no result', () => {}, 0],
  ])('sets the exit status after %s, and the process goes on', async (_, answer, status) => {
    const { app } = ownLaunch({ codec, wait: true });
    app.on('args', (__, client) => answer(client));
    await start(app);
    expect(await exitCode()).toBe(status);
    expect([app.listening, app.sessions]).toEqual([true, 0]);
  });

  it('sets the exit status 1 if a listener fails, and emits one warning', async () => {
    const { app } = ownLaunch({ codec, wait: true });
    const { warnings } = recordEvents(app);
    app.handle(() => Promise.reject(new Error('on purpose')));
    await start(app);
    expect(await exitCode()).toBe(1);
    expect(warnings).toEqual(['ERR_SINGLETON_LISTENER_FAILED']);
  });

  it('sets the exit status 1 if no result comes in time, and aborts the signal of the client', async () => {
    const { app } = ownLaunch({ codec, wait: 1 });
    const { warnings } = recordEvents(app);
    const aborted = new Promise((resolve) => app.handle(async (_, { signal }) => resolve(await once(signal, 'abort'))));
    await start(app);
    expect(await exitCode()).toBe(1);
    await aborted;
    expect(warnings).toEqual(['ERR_SINGLETON_HOST_UNRESPONSIVE']);
  });

  it('lets the own launch finish when it is released with drain', async () => {
    const { app } = ownLaunch({ codec, wait: true });
    const handled = new Promise<() => void>((resolve) => app.handle(() => new Promise<void>((done) => resolve(done))));
    await start(app);
    const finish = await handled;
    const released = app.release({ drain: true });
    finish();
    await released;
    expect(await exitCode()).toBe(0);
  });

  it.each([
    ['released', (app: Singleton) => void app.release(), 'release manual'],
    ['lost', () => network.steal('endpoint'), 'release lost'],
  ])('ends the own launch if the endpoint is %s while it is dispatched', async (_, end, event) => {
    const { app } = ownLaunch({ codec, wait: true, transport: network.transport('endpoint'), port: undefined });
    const { order } = recordEvents(app);
    app.prependListener('args', (__, { signal }) => {
      end(app);
      return once(signal, 'abort');
    });
    await expect(app.acquire()).rejects.toMatchObject({ code: 'ERR_SINGLETON_RELEASED' });
    await app.release();
    expect(order.filter((name) => name !== 'warning')).toEqual(['args', event]);
    expect([await exitCode(), app.sessions]).toEqual([1, 0]);
  });

  it('leaves the exit status alone without wait', async () => {
    const { app } = ownLaunch({ codec });
    const results: boolean[] = [];
    app.on('args', (_, client) => results.push(client.exit(3)));
    await start(app);
    await launch(app, ['later'], { codec });
    expect([results, process.exitCode]).toEqual([[false, false], undefined]);
  });

  it('reads stdin no longer after the result', async () => {
    const { app, stdin } = ownLaunch({ codec, wait: true });
    app.handle(async (_, client) => void (await once(client.stdin, 'data')));
    stdin.write('first');
    await start(app);
    await exitCode();
    expect([stdin.isPaused(), stdin.listenerCount('data')]).toEqual([true, 0]);
  });
});

describe('self: true with a schema', () => {
  const options = { port: 0, codec: json(), schema: z.object({ n: z.coerce.number() }), self: true } as const;

  it('dispatches what the schema makes of the arguments', async () => {
    const app = await Singleton.acquire({ ...options, args: { n: '7' } });
    onTestFinished(() => app.release());
    expect((await once(app, 'args'))[0]).toEqual({ n: 7 });
  });

  it('rejects if it refuses what it has allowed before, and may acquire again', async () => {
    const verdicts = [[], [{ message: 'no longer' }], [], []];
    const validate = (value: unknown): object => {
      const issues = verdicts.shift() ?? [];
      return issues.length > 0 ? { issues } : { value };
    };
    const schema: any = { '~standard': { version: 1, vendor: 'test', validate } };
    const app = new Singleton({ ...options, schema, args: 'a' });
    onTestFinished(() => app.release());
    await expect(app.acquire()).rejects.toMatchObject({ code: 'ERR_SINGLETON_INVALID_ARGS' });
    expect(app.listening).toBe(false);
    await app.acquire();
    expect((await once(app, 'args'))[0]).toBe('a');
  });

  it('rejects if it takes longer than receiveTimeout', async () => {
    const validate = (value: unknown): object => (isFirst-- > 0 ? { value } : new Promise(() => {}));
    let isFirst = 1;
    const schema: any = { '~standard': { version: 1, vendor: 'test', validate } };
    const app = new Singleton({ ...options, schema, args: 'a', receiveTimeout: 1 });
    await expect(app.acquire()).rejects.toMatchObject({ code: 'ERR_SINGLETON_INVALID_ARGS' });
    expect(app.listening).toBe(false);
  });

  it('rejects arguments that it does not allow, and frees the endpoint', async () => {
    const app = new Singleton({ ...options, args: { n: 'no number' } });
    await expect(app.acquire()).rejects.toMatchObject({ code: 'ERR_SINGLETON_INVALID_ARGS' });
    expect(app.listening).toBe(false);
  });
});

describe('self', () => {
  it('allows wait beside client: false', () => {
    const options = { codec: json<Strings>(), args: [], wait: true, client: false };
    expect(() => new Singleton(options)).toThrow(/Option "wait": expected false beside client: false/);
    expect(new Singleton({ ...options, self: true }).listening).toBe(false);
  });

  it('is refused if it is not a boolean', () => {
    const options: object = { self: 1 };
    expect(() => new Singleton(options)).toThrow(/Option "self": expected a boolean, got 1/);
  });
});
