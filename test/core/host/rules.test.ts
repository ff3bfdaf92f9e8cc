import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { json } from '../../../src/codecs/json.ts';
import { type Client, type Connection, type Schema, Singleton, type SingletonError } from '../../../src/index.ts';
import { frames } from '../../../src/protocol/frames.ts';
import { encodeClientHello, HANDSHAKE_BYTES, readHostHello } from '../../../src/protocol/hello.ts';
import { encodeLaunch } from '../../../src/protocol/messages.ts';
import { readUpTo } from '../../../src/protocol/read.ts';
import { pskOf } from '../../../src/protocol/secure/handshake.ts';
import { Handshake } from '../../../src/protocol/secure/noise.ts';
import { aborted } from '../../helpers/answer.ts';
import { waitForClose, connect } from '../../helpers/host.ts';

const LAUNCH = frames.encode(encodeLaunch({ args: Buffer.from('["a"]') }));
const SECRET = 'open sesame, open sesame';

function prefaceFor(isSecured: boolean): Uint8Array {
  return encodeClientHello({ isSecured, codec: Buffer.from('json'), application: new Uint8Array() });
}

describe('a client whose schema is slow', () => {
  const waiting: (() => void)[] = [];
  const schema: Schema<unknown, unknown> = {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: async (value) => {
        await new Promise<void>((resolve) => waiting.push(resolve));
        return { value };
      },
    },
  };

  it.each([
    ['sends a second launch', LAUNCH],
    ['sends half a frame', LAUNCH.subarray(0, 3)],
  ])('receives that it is malformed, and its launch is not run, when it %s', async (_, more) => {
    const app = await new Singleton({ port: 0, codec: json(), schema, args: [] }).acquire();
    onTestFinished(() => app.release());
    const warned: Promise<SingletonError[]> = once(app, 'warning');
    const socket = await connect(app);
    const heard: Buffer[] = [];
    socket.on('data', (chunk) => heard.push(chunk));
    socket.write(Buffer.concat([prefaceFor(false), LAUNCH]));
    while (waiting.length === 0) await turn();
    socket.write(more);
    while (Buffer.concat(heard).length < 18) await turn();
    waiting.splice(0).forEach((resolve) => resolve());
    expect(await warned).toMatchObject([{ code: 'ERR_SINGLETON_MALFORMED_MESSAGE' }]);
    expect(Buffer.concat(heard).subarray(12).toString('hex')).toBe('000000020303');
    expect(app).toMatchObject({ clients: 0, arguments: [] });
  });
});

type Encrypt = (plaintext: Uint8Array) => Buffer;

/** A host with the secret. */
async function secured(): Promise<Singleton<unknown>> {
  const app = new Singleton<unknown>({ port: 0, codec: json(), args: [], secret: SECRET });
  onTestFinished(() => app.release());
  return app.acquire();
}

/** A connection on which the secret was proven, and what makes records for it. */
async function greeted(app: Singleton<unknown>): Promise<{ readonly socket: Connection; readonly encrypt: Encrypt }> {
  const socket = (await connect(app)).pause();
  const prologue = prefaceFor(true);
  const handshake = new Handshake({ role: 'initiator', psk: pskOf(Buffer.from(SECRET)), prologue });
  socket.write(Buffer.concat([prologue, handshake.write()]));
  await readHostHello(socket);
  handshake.tryRead(await readUpTo(socket, HANDSHAKE_BYTES));
  const { send } = handshake.split();
  return { socket: socket.resume(), encrypt: (plaintext) => recordOf(send.encrypt(plaintext)) };
}

/** What a host reports of a client that proved the secret, and then sends these records. */
async function sayOf(records: (encrypt: Encrypt) => readonly Uint8Array[]): Promise<unknown> {
  const app = await secured();
  const reports = new Promise((resolve) => {
    app.on('warning', ({ code }) => resolve(code));
    app.on('verifyFailed', ({ reason }) => resolve(reason));
  });
  const { socket, encrypt } = await greeted(app);
  for (const record of records(encrypt)) socket.write(record);
  const what = await reports;
  expect(app).toMatchObject({ clients: 0, arguments: [] });
  return what;
}

function recordOf(parts: readonly Uint8Array[]): Buffer {
  const record = Buffer.concat([Buffer.alloc(2), ...parts]);
  record.writeUInt16BE(record.length - 2);
  return record;
}

function flip(record: Buffer): Buffer {
  return record.fill((record.at(-1) ?? 0) ^ 1, record.length - 1);
}

describe('a record that was changed', () => {
  it('is refused as a replayed handshake when it is the first', async () => {
    expect(await sayOf((encrypt) => [flip(encrypt(LAUNCH))])).toBe('replayed-handshake');
  });

  it('is refused in the same way when it was made too short', async () => {
    expect(await sayOf(() => [Buffer.of(0, 15)])).toBe('replayed-handshake');
  });

  it('causes a warning when it follows a good one', async () => {
    const [first, second] = [LAUNCH.subarray(0, 5), LAUNCH.subarray(5)];
    const records = await sayOf((encrypt) => [encrypt(first), flip(encrypt(second))]);
    expect(records).toBe('ERR_SINGLETON_VERIFICATION_FAILED');
  });
});

describe('a waiting client', () => {
  const WAITING = frames.encode(encodeLaunch({ args: Buffer.from('["a"]'), wait: true }));

  /** Its client at the host, whose listener stays at work, and its connection. */
  async function openSession() {
    const app = await secured();
    const reports: string[] = [];
    app.on('warning', ({ code }) => reports.push(code)).on('verifyFailed', ({ reason }) => reports.push(reason));
    const coming = new Promise<Client>((resolve) => {
      app.on('args', (_, client) => new Promise(() => resolve(client)));
    });
    const { socket, encrypt } = await greeted(app);
    socket.write(encrypt(WAITING));
    return { client: await coming, reports, socket, encrypt };
  }

  it('has gone, with a warning, when it sends a changed record', async () => {
    const { client, reports, socket, encrypt } = await openSession();
    socket.write(flip(encrypt(Buffer.from('anything'))));
    await aborted(client.signal);
    expect(client.signal.reason).toMatchObject({ code: 'ERR_SINGLETON_VERIFICATION_FAILED' });
    await turn();
    expect(reports).toEqual(['ERR_SINGLETON_VERIFICATION_FAILED']);
  });

  it('has gone, and is reset a second later, when it ends its stream but not its connection', async () => {
    const { client, reports, socket, encrypt } = await openSession();
    const closing = waitForClose(socket);
    socket.write(encrypt(new Uint8Array()));
    await aborted(client.signal);
    await closing;
    expect(reports).toEqual([]);
  });

  it('has gone, without a warning, when it breaks off in the middle of a frame', async () => {
    const { client, reports, socket, encrypt } = await openSession();
    socket.end(encrypt(Buffer.of(0, 0)));
    await aborted(client.signal);
    await turn();
    expect(reports).toEqual([]);
  });
});

it('a client that disconnects before its first byte causes a warning', async () => {
  const app = await secured();
  const warned: Promise<SingletonError[]> = once(app, 'warning');
  const socket = await connect(app);
  socket.resetAndDestroy?.();
  expect(await warned).toMatchObject([{ code: 'ERR_SINGLETON_TRUNCATED_MESSAGE' }]);
});
