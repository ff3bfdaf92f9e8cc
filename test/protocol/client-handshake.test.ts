import { type Duplex, duplexPair } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { json } from '../../src/codecs/json.ts';
import type { DeliveryResult } from '../../src/interface/protocol.ts';
import { opener } from '../../src/protocol/client-handshake.ts';
import { frames } from '../../src/protocol/frames.ts';
import { encodeHostHello, INITIATION_BYTES, STATUS } from '../../src/protocol/hello.ts';
import { checkHello, respond } from '../../src/protocol/host-handshake.ts';
import { decodeLaunch } from '../../src/protocol/launch.ts';
import { encodeReceipt, encodeRefusal, encodeStatus, KIND } from '../../src/protocol/messages.ts';
import { readClientHello, readInitiation, readSome, readUpTo } from '../helpers/read.ts';
import { tryRespond } from '../../src/protocol/secure/handshake.ts';
import type { WireFormat } from '../../src/protocol/serializer.ts';

const SECRET = Buffer.from('open sesame, open sesame');
const options = { secret: undefined, name: '', maxMessageBytes: 1024 };
const secured = { ...options, secret: SECRET };
const serializer = { serialize: () => new Uint8Array(0), deserialize: () => '' };
const wireFormat: WireFormat<string, string> = { name: 'json', frames, args: serializer, reply: serializer };

const RECEIPT = frames.encode(encodeReceipt({ outcome: 'delivered', client: 7, pid: 8, since: 9 }));
const RECEIVED = { receipt: { outcome: 'delivered', client: 7, host: { pid: 8, since: new Date(9) } } };
const EXIT = frames.encode({ kind: KIND.exit, body: Uint8Array.of(6) });
const skipped = (kind: number, length = 3): Uint8Array =>
  frames.encode({ kind, body: new Uint8Array(length).fill(kind) });
const SKIPPED = Buffer.concat([skipped(128), skipped(200, 0), skipped(255, 1020)]);

function pair(): readonly [Duplex, Duplex] {
  const [client, host] = duplexPair();
  for (const end of [client, host]) end.on('error', () => {});
  onTestFinished(() => void [client.destroy(), host.destroy()]);
  return [client, host];
}

interface Delivery {
  readonly host: Duplex;
  readonly outcome: Promise<unknown>;
}

/** A launch whose host has read the client hello. */
async function startDelivery(wait = false): Promise<Delivery> {
  const [client, host] = pair();
  const deliver = json().protocol.outbound({ args: ['a'], wait }, options);
  const outcome = deliver(client).catch((error: unknown) => error);
  await readClientHello(host);
  return { host, outcome };
}

async function readLaunch(host: Duplex): Promise<void> {
  const [launch] = frames.createDecoder(options).push((await readSome(host)) ?? new Uint8Array());
  expect(launch && Buffer.from(decodeLaunch(launch).args).toString()).toBe('["a"]');
}

/** What a host with a secret makes of a connection. */
async function accept(host: Duplex): Promise<Duplex | undefined> {
  const hello = await readClientHello(host);
  if (typeof hello !== 'object') throw new Error(`Expected a client hello, got ${hello}.`);
  expect(checkHello([wireFormat], hello, secured)).toBe(wireFormat);
  return respond(host, SECRET, hello);
}

function withHello(hello: Uint8Array, { at = 0, to = 0 }: { at?: number; to?: number }): Buffer {
  const changed = Buffer.from(hello);
  changed.writeUInt8(to, at);
  return changed;
}

describe('the host hello', () => {
  test.each([1, 2, 128, 255])('may have the feature bits %i, which this version does not know', async (features) => {
    const { host, outcome } = await startDelivery();
    host.write(withHello(encodeHostHello(STATUS.ok), { at: 11, to: features }));
    await readLaunch(host);
    host.resume().write(RECEIPT);
    expect(await outcome).toEqual(RECEIVED);
  });

  test.each([1, 6, 128, 255])('is that of another program with %i at byte 10', async (value) => {
    const { host, outcome } = await startDelivery();
    host.write(withHello(encodeHostHello(STATUS.ok), { at: 10, to: value }));
    expect(await outcome).toMatchObject({ code: 'ERR_SINGLETON_FOREIGN_HOST' });
  });

  test.each([
    [1, 'ERR_SINGLETON_UNSUPPORTED_VERSION'],
    [2, 'ERR_SINGLETON_UNSUPPORTED_VERSION'],
    [3, 'ERR_SINGLETON_WRONG_APPLICATION'],
    [4, 'ERR_SINGLETON_VERIFICATION_FAILED'],
    [5, 'ERR_SINGLETON_VERIFICATION_FAILED'],
    [6, 'ERR_SINGLETON_VERIFICATION_FAILED'],
    [7, 'ERR_SINGLETON_UNSUPPORTED_VERSION'],
    [8, 'ERR_SINGLETON_UNSUPPORTED_VERSION'],
    [255, 'ERR_SINGLETON_UNSUPPORTED_VERSION'],
  ])('is final with status %i: %s', async (status, code) => {
    const { host, outcome } = await startDelivery();
    host.write(withHello(encodeHostHello(STATUS.ok), { at: 9, to: status }));
    expect(await outcome).toMatchObject({ code });
  });
});

describe('the handshake with a secret', () => {
  test('succeeds with the hello as it was sent', async () => {
    expect(await openWith((hello) => hello)).toHaveProperty('reader');
  });

  test.each([0, 1, 7])('fails if bit %i of the feature bits was changed on the way', async (bit) => {
    const opened = await openWith((hello) => withHello(hello, { at: 11, to: 2 ** bit }));
    expect(opened).toMatchObject({ code: 'ERR_SINGLETON_VERIFICATION_FAILED' });
  });

  test('fails if the feature bits were removed on the way', async () => {
    const [client, host] = pair();
    const opening = opener(wireFormat, secured)(client).catch((error: unknown) => error);
    const hello = await readClientHello(host);
    if (!hello || typeof hello === 'number') throw new Error('Expected a client hello.');
    const initiation = await readInitiation(host);
    const plain = Buffer.from(encodeHostHello(STATUS.ok));
    const later = withHello(plain, { at: 11, to: 1 });
    const response = tryRespond({ secret: SECRET, prologue: hello.bytes }, initiation, later);
    expect(response?.message).toHaveLength(60);
    host.write(Buffer.concat([plain, response?.message ?? plain]));
    expect(await opening).toMatchObject({ code: 'ERR_SINGLETON_VERIFICATION_FAILED' });
  });

  test('accepts a fallback flag, and fails if it was removed on the way', async () => {
    for (const isRemoved of [false, true]) {
      const [client, relay] = pair();
      const [upstream, host] = pair();
      const accepting = accept(host);
      const { initiate } = await import('../../src/protocol/secure/handshake.ts');
      // magic | version 1 | flags: secured, fallback | lengths | codec
      const hello = Buffer.from('f553534c0d0a1a0a010304006a736f6e', 'hex');
      const initiation = initiate({ secret: SECRET, prologue: hello });
      client.write(Buffer.concat([hello, initiation.message]));
      const sent = Buffer.from(await readUpTo(relay, hello.length + INITIATION_BYTES));
      upstream.write(isRemoved ? withHello(sent, { at: 9, to: 1 }) : sent);
      const stream = await accepting;
      stream?.on('error', () => {});
      expect(stream === undefined).toBe(isRemoved);
    }
  });
});

describe('a client', () => {
  test('skips frames that it does not know after the hello, and sends its launch although they have arrived', async () => {
    const { host, outcome } = await startDelivery();
    host.write(Buffer.concat([encodeHostHello(STATUS.ok), SKIPPED]));
    await readLaunch(host);
    host.resume().write(RECEIPT);
    expect(await outcome).toEqual(RECEIVED);
  });

  test('sends its launch although the half of a frame has arrived', async () => {
    const { host, outcome } = await startDelivery();
    host.write(Buffer.concat([encodeHostHello(STATUS.ok), SKIPPED.subarray(0, 5)]));
    await readLaunch(host);
    host.resume().write(Buffer.concat([SKIPPED.subarray(5), RECEIPT]));
    expect(await outcome).toEqual(RECEIVED);
  });

  test.each([
    ['a refusal', encodeRefusal('ERR_SINGLETON_BUSY'), 'ERR_SINGLETON_BUSY'],
    ['a receipt', { kind: KIND.receipt, body: RECEIPT.subarray(5) }, 'ERR_SINGLETON_MALFORMED_MESSAGE'],
  ])('notices %s after skipped frames that arrive before its launch', async (_, frame, code) => {
    const { host, outcome } = await startDelivery();
    host.write(Buffer.concat([encodeHostHello(STATUS.ok), SKIPPED, frames.encode(frame)]));
    expect(await outcome).toMatchObject({ code });
  });

  test('skips frames before the receipt, byte by byte, and in a session', async () => {
    const { host, outcome } = await startDelivery(true);
    host.write(encodeHostHello(STATUS.ok));
    await readLaunch(host);
    host.resume();
    for (const byte of SKIPPED.subarray(0, 40)) {
      host.write(Uint8Array.of(byte));
      await setImmediate();
    }
    host.write(Buffer.concat([SKIPPED.subarray(40), RECEIPT, SKIPPED, EXIT]));
    // A boundary: the outcome may be an error.
    const delivery: any = await outcome;
    const { runSession }: DeliveryResult = delivery;
    const streams = { stdout: process.stdout, stderr: process.stderr, stdin: process.stdin };
    expect(await runSession?.(streams, new AbortController().signal)).toMatchObject({ client: 7, exitCode: 6 });
  });

  test.each([16, 100, 127])('does not skip a frame of kind %i', async (kind) => {
    const { host, outcome } = await startDelivery();
    host.write(encodeHostHello(STATUS.ok));
    await readLaunch(host);
    host.resume().write(Buffer.concat([skipped(kind), RECEIPT]));
    expect(await outcome).toMatchObject({
      code: 'ERR_SINGLETON_CONNECTION_FAILED',
      cause: { code: 'ERR_SINGLETON_MALFORMED_MESSAGE' },
    });
  });

  test('refuses a frame that it would skip and that is too long, without its body', async () => {
    const { host, outcome } = await startDelivery();
    host.write(encodeHostHello(STATUS.ok));
    await readLaunch(host);
    // 65,537 bytes is the greatest length if `maxMessageBytes` is less.
    host.resume().write(skipped(128, 65_536));
    host.write(Buffer.from('00010002c8', 'hex'));
    expect(await outcome).toMatchObject({ cause: { code: 'ERR_SINGLETON_MESSAGE_TOO_LARGE' } });
  });

  test('skips frames before a status, and fields that it does not know', async () => {
    const [client, host] = pair();
    const asking = json().protocol.status(options)(client);
    await readClientHello(host);
    host.write(Buffer.concat([encodeHostHello(STATUS.ok), SKIPPED]));
    expect(Buffer.from((await readSome(host)) ?? []).toString('hex')).toBe('000000010a');
    const members = { pid: 1, since: 2, clients: 3, pending: 4, sessions: 5, version: 'v', codecs: ['json'] };
    const { kind, body } = encodeStatus(members);
    const fields = Buffer.from('63000101', 'hex');
    host.resume().write(Buffer.concat([SKIPPED, frames.encode({ kind, body: Buffer.concat([body, fields]) })]));
    expect(await asking).toEqual(members);
  });
});

describe('a refusal', () => {
  test('has its text as the cause of the error, and not in its message', async () => {
    const error = await refusedWith(encodeRefusal('ERR_SINGLETON_BUSY', 'call again at noon').body);
    expect(error).toMatchObject({
      code: 'ERR_SINGLETON_BUSY',
      cause: { message: 'The host says: call again at noon' },
    });
    expect(error).toHaveProperty('message', expect.not.stringContaining('noon'));
  });

  test('has a text without the control characters that a terminal would obey', async () => {
    const text = 'a\u{1b}[31mb\r\nc\u{0}\u{7f}\u{9b}2Jd\te';
    const error = await refusedWith(encodeRefusal('ERR_SINGLETON_BUSY', text).body);
    expect(error).toMatchObject({ cause: { message: 'The host says: a [31mb  c   2Jd e' } });
  });

  test('has no cause without a text', async () => {
    expect(await refusedWith(encodeRefusal('ERR_SINGLETON_BUSY').body)).not.toHaveProperty('cause');
  });

  test('may have fields that are not known, and twice the same', async () => {
    const error = await refusedWith(Buffer.from('04c8000200000100016101000162', 'hex'));
    expect(error).toMatchObject({ code: 'ERR_SINGLETON_BUSY', cause: { message: 'The host says: b' } });
  });

  test('is a broken answer with half a field, and the launch may have run', async () => {
    const error = await refusedWith(Buffer.from('04010005', 'hex'));
    expect(error).toMatchObject({
      code: 'ERR_SINGLETON_CONNECTION_FAILED',
      cause: { code: 'ERR_SINGLETON_MALFORMED_MESSAGE' },
    });
  });
});

/** Answers as a host does; the hello on the wire is not the one in the handshake message. */
async function openWith(change: (hello: Buffer) => Buffer): Promise<unknown> {
  const [client, host] = pair();
  const opening = opener(wireFormat, secured)(client).catch((error: unknown) => error);
  const hello = await readClientHello(host);
  if (!hello || typeof hello === 'number') throw new Error('Expected a client hello.');
  const initiation = await readInitiation(host);
  const own = Buffer.from(encodeHostHello(STATUS.ok));
  const response = tryRespond({ secret: SECRET, prologue: hello.bytes }, initiation, own);
  host.write(Buffer.concat([change(own), response?.message ?? Buffer.alloc(0)]));
  return opening;
}

async function refusedWith(body: Uint8Array): Promise<unknown> {
  const { host, outcome } = await startDelivery();
  host.write(encodeHostHello(STATUS.ok));
  await readLaunch(host);
  host.resume().write(frames.encode({ kind: KIND.refusal, body }));
  return outcome;
}
