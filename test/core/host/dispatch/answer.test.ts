import { EventEmitter, once } from 'node:events';
import { createConnection, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { json } from '../../../../src/codecs/json.ts';
import { type Schema, Singleton, type SingletonOptions } from '../../../../src/index.ts';
import { encodeClientHello } from '../../../../src/protocol/hello.ts';
import { readUpTo } from '../../../helpers/read.ts';
import { memory } from '../../../../src/transports/memory.ts';
import { portOf } from '../../../helpers/host.ts';

const codec = json<readonly string[]>();
const CLIENT_HELLO = encodeClientHello({ isSecured: false, codec: Buffer.from('json'), application: new Uint8Array() });
const HELLO_BYTES = 12;
/** A refusal whose reason is "not taken": the launch may be delivered to the next host. */
const NOT_TAKEN = '000000020305';

describe('Singleton.release', () => {
  it('refuses a client in the middle of its launch after a second, so that it tries the next host', async () => {
    const app = await start();
    const client = await connectWithHello(app);
    client.write(Buffer.from('0000002a01000000', 'hex'));

    const released = app.release();

    expect(Buffer.from(await readUpTo(client, 6)).toString('hex')).toBe(NOT_TAKEN);
    client.end();
    await released;
  });

  it('leaves a launch that a slow schema delayed to the next host', async () => {
    const events = new EventEmitter();
    const validating = once(events, 'validating');
    const slow: Schema<readonly string[]> = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: () => {
          events.emit('validating');
          return new Promise(() => {});
        },
      },
    };
    const app = new Singleton<readonly string[]>({ port: 0, codec, args: [], schema: slow });
    onTestFinished(() => app.release());
    await app.acquire();
    const port = portOf(app);
    const second = Singleton.acquire({ port, codec, args: ['late'], strict: false });
    await validating;

    const released = app.release();
    const next = await Singleton.acquire({ port, codec, args: [], strict: false });
    onTestFinished(() => next.release());
    const [args] = await once(next, 'args');

    expect(args).toEqual(['late']);
    await expect(second).rejects.toMatchObject({ receipt: { outcome: 'delivered' } });
    await released;
  });
});

describe('maxConnections', () => {
  it('closes connections that have their result before one whose launch is incomplete', async () => {
    const app = await start({ maxConnections: 4 });
    const honest = await connectWithHello(app);
    const other = encodeClientHello({ isSecured: false, codec: Buffer.from('other'), application: new Uint8Array() });
    const others: Socket[] = [];
    for (let count = 0; count < 20; count += 1) {
      const connection = await connect(app);
      others.push(connection);
      connection.write(other);
      await readUpTo(connection, HELLO_BYTES);
    }

    await Promise.all(others.slice(0, -3).map(closed));

    expect(honest.closed).toBe(false);
    honest.write(Buffer.from('000000110100000000000000000000005b2261225d', 'hex'));
    const [args] = await once(app, 'args');
    expect(args).toEqual(['a']);
  });
});

async function start(options: SingletonOptions = {}): Promise<Singleton> {
  const app = new Singleton({ port: 0, codec, args: [], ...options });
  onTestFinished(() => app.release());
  return app.acquire();
}

async function connect(app: Singleton): Promise<Socket> {
  const socket = createConnection({ host: '127.0.0.1', port: portOf(app), allowHalfOpen: true });
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => {}).on('end', () => socket.end());
  await once(socket, 'connect');
  return socket;
}

async function closed(socket: Socket): Promise<void> {
  if (!socket.closed) await once(socket.resume(), 'close');
}

/** A client that has the host's hello and has sent nothing of its launch. */
async function connectWithHello(app: Singleton): Promise<Socket> {
  const socket = await connect(app);
  socket.write(CLIENT_HELLO);
  await readUpTo(socket, HELLO_BYTES);
  return socket;
}

describe('an args listener of a waiting launch', () => {
  it('keeps stdout open until it settles although a client listener has set the result', async () => {
    const transport = memory().transport('app');
    const app = await Singleton.acquire({ transport, codec: json<string, string>(), args: '' });
    onTestFinished(() => app.release());
    app.on('client', (client) => void client.exit(3));
    app.on('args', async (_, client) => {
      for (const line of ['a', 'b', 'c']) {
        await turn();
        client.stdout.write(line);
      }
    });
    const stdout = new PassThrough();
    const { exitCode } = await Singleton.send({
      transport,
      codec: json<string, string>(),
      args: 'x',
      wait: true,
      stdout,
    });
    expect([exitCode, await text(stdout.end())]).toEqual([3, 'abc']);
  });
});
