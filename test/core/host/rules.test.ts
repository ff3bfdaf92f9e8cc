import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { json } from '../../../src/codecs/json.ts';
import { type Client, type Connection, type Schema, Singleton, type SingletonError } from '../../../src/index.ts';
import { frames } from '../../../src/protocol/frames.ts';
import { encodeClientHello, RESPONSE_BYTES } from '../../../src/protocol/hello.ts';
import { encodeLaunch } from '../../../src/protocol/launch.ts';
import { decodeRefusal, KIND } from '../../../src/protocol/messages.ts';
import { encodeSignal } from '../../../src/protocol/session/messages.ts';
import { readHostHello, readUpTo } from '../../helpers/read.ts';
import { pskOf } from '../../../src/protocol/secure/handshake.ts';
import { Handshake } from '../../../src/protocol/secure/noise.ts';
import { aborted } from '../../helpers/answer.ts';
import { waitForClose, connect } from '../../helpers/host.ts';

const LAUNCH = frames.encode(encodeLaunch({ args: Buffer.from('["a"]') }));
const SIGNAL = frames.encode(encodeSignal('SIGINT'));
const RESIZE = frames.encode({ kind: KIND.resize, body: Uint8Array.of(1, 8, 0, 80, 0, 24) });
const SECRET = 'open sesame, open sesame';

function clientHelloFor(isSecured: boolean): Uint8Array {
  return encodeClientHello({ isSecured, codec: Buffer.from('json'), application: new Uint8Array() });
}

describe('a host whose schema is slow', () => {
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
    ['sends a signal before the receipt', SIGNAL],
    ['sends the size of its terminal before the receipt', RESIZE],
  ])('refuses a client as malformed, and does not run its launch, when it %s', async (_, more) => {
    const app = await new Singleton({ port: 0, codec: json(), schema, args: [] }).acquire();
    onTestFinished(() => app.release());
    const warned: Promise<SingletonError[]> = once(app, 'warning');
    const socket = await connect(app);
    const heard: Buffer[] = [];
    socket.on('data', (chunk) => heard.push(chunk));
    socket.write(Buffer.concat([clientHelloFor(false), LAUNCH]));
    while (waiting.length === 0) await turn();
    socket.write(more);
    while (Buffer.concat(heard).length < 18) await turn();
    waiting.splice(0).forEach((resolve) => resolve());
    expect(await warned).toMatchObject([{ code: 'ERR_SINGLETON_MALFORMED_MESSAGE' }]);
    const [refusal] = frames.createDecoder({ maxMessageBytes: 1024 }).push(Buffer.concat(heard).subarray(12));
    expect(refusal).toMatchObject({ kind: KIND.refusal });
    expect(refusal && decodeRefusal(refusal)).toMatchObject({ refusal: 'ERR_SINGLETON_MALFORMED_MESSAGE' });
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
async function connectVerified(
  app: Singleton<unknown>,
): Promise<{ readonly socket: Connection; readonly encrypt: Encrypt }> {
  const socket = (await connect(app)).pause();
  const prologue = clientHelloFor(true);
  const handshake = new Handshake({ role: 'initiator', psk: pskOf(Buffer.from(SECRET)), prologue });
  socket.write(Buffer.concat([prologue, handshake.write()]));
  await readHostHello(socket);
  handshake.tryRead(await readUpTo(socket, RESPONSE_BYTES));
  const { send } = handshake.split();
  return { socket: socket.resume(), encrypt: (plaintext) => recordOf(send.encrypt(plaintext)) };
}

/** What a host reports of a client that proved the secret, and then sends these records. */
async function reportOf(records: (encrypt: Encrypt) => readonly Uint8Array[]): Promise<unknown> {
  const app = await secured();
  const reports = new Promise((resolve) => {
    app.on('warning', ({ code }) => resolve(code));
    app.on('verifyFailed', ({ reason }) => resolve(reason));
  });
  const { socket, encrypt } = await connectVerified(app);
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

describe('a host that receives a changed record', () => {
  it('reports the first record of a connection as a replayed handshake', async () => {
    expect(await reportOf((encrypt) => [flip(encrypt(LAUNCH))])).toBe('replayed-handshake');
  });

  it('reports a first record that is too short as a replayed handshake', async () => {
    expect(await reportOf(() => [Buffer.of(0, 15)])).toBe('replayed-handshake');
  });

  it('emits a warning for a record after a good one', async () => {
    const [first, second] = [LAUNCH.subarray(0, 5), LAUNCH.subarray(5)];
    const records = await reportOf((encrypt) => [encrypt(first), flip(encrypt(second))]);
    expect(records).toBe('ERR_SINGLETON_VERIFICATION_FAILED');
  });
});

describe('a host with a waiting client', () => {
  const WAITING = frames.encode(encodeLaunch({ args: Buffer.from('["a"]'), wait: true }));

  /** Its client at the host, whose listener never settles, and its connection. */
  async function openSession() {
    const app = await secured();
    const reports: string[] = [];
    app.on('warning', ({ code }) => reports.push(code)).on('verifyFailed', ({ reason }) => reports.push(reason));
    const coming = new Promise<Client>((resolve) => {
      app.on('args', (_, client) => new Promise(() => resolve(client)));
    });
    const { socket, encrypt } = await connectVerified(app);
    socket.write(encrypt(WAITING));
    return { client: await coming, reports, socket, encrypt };
  }

  it('aborts its signal with a warning when it sends a changed record', async () => {
    const { client, reports, socket, encrypt } = await openSession();
    socket.write(flip(encrypt(Buffer.from('anything'))));
    await aborted(client.signal);
    expect(client.signal.reason).toMatchObject({ code: 'ERR_SINGLETON_VERIFICATION_FAILED' });
    await turn();
    expect(reports).toEqual(['ERR_SINGLETON_VERIFICATION_FAILED']);
  });

  it('aborts its signal, and resets it a second later, when it ends its stream but not its connection', async () => {
    const { client, reports, socket, encrypt } = await openSession();
    const closing = waitForClose(socket);
    socket.write(encrypt(new Uint8Array()));
    await aborted(client.signal);
    await closing;
    expect(reports).toEqual([]);
  });

  it('aborts its signal without a warning when it breaks off in the middle of a frame', async () => {
    const { client, reports, socket, encrypt } = await openSession();
    socket.end(encrypt(Buffer.of(0, 0)));
    await aborted(client.signal);
    await turn();
    expect(reports).toEqual([]);
  });
});

describe('a host with a secret', () => {
  it('emits a warning for a client that disconnects before its first byte', async () => {
    const app = await secured();
    const warned: Promise<SingletonError[]> = once(app, 'warning');
    const socket = await connect(app);
    socket.resetAndDestroy?.();
    expect(await warned).toMatchObject([{ code: 'ERR_SINGLETON_TRUNCATED_MESSAGE' }]);
  });
});
