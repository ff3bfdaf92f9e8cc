import { isUtf8 } from 'node:buffer';
import type { Duplex } from 'node:stream';
import { SingletonError, type SingletonErrorCode } from '../interface/errors.ts';
import { headLength, sniffForeignProtocol } from './legacy/sniff.ts';
import type { StreamReader } from './read.ts';

/** As in PNG: the first byte starts neither UTF-8, HTTP, TLS nor SSH; the rest reveals a converted line ending. */
export const MAGIC: Uint8Array = Uint8Array.of(0xf5, 0x53, 0x53, 0x4c, 0x0d, 0x0a, 0x1a, 0x0a);

export const VERSION = 1;

const SECURED = 1;
/** The client also speaks a later version, which a host has refused. It is for hosts that speak one too. */
const FALLBACK = 2;

/** The size of the first Noise handshake message, which has an empty payload. */
export const INITIATION_BYTES = 48;

export const HOST_HELLO_BYTES = 12;

/** The size of the second one. Its payload is the host hello, so that it cannot be changed in transit. */
export const RESPONSE_BYTES: number = INITIATION_BYTES + HOST_HELLO_BYTES;

/** The longest codec or application name, as UTF-8. */
export const MAX_NAME_BYTES = 255;

/**
 * The first bytes that a client sends.
 *
 *     magic, 8 bytes | version u8 = 1 | flags u8 (bit 0: secured, bit 1: fallback) | n u8 | m u8 | codec, n | application, m
 */
export interface ClientHello {
  readonly isSecured: boolean;
  readonly codec: Uint8Array;
  readonly application: Uint8Array;
}

export function encodeClientHello({ isSecured, codec, application }: ClientHello): Uint8Array {
  const applicationAt = HEAD_BYTES + codec.length;
  const hello = Buffer.allocUnsafe(applicationAt + application.length);
  hello.set(MAGIC);
  hello[MAGIC.length] = VERSION;
  hello[MAGIC.length + 1] = isSecured ? SECURED : 0;
  hello[MAGIC.length + 2] = codec.length;
  hello[MAGIC.length + 3] = application.length;
  hello.set(codec, HEAD_BYTES);
  hello.set(application, applicationAt);
  return hello;
}

/** The bytes that a hello arrived in. */
interface Received {
  readonly bytes: Uint8Array;
}

export type ReceivedHello = ClientHello & Received;

/**
 * A client hello; or the status to reject the client with, if it has another version, an unknown flag or the legacy codec; or
 * `undefined` if the connection ends without a byte.
 */
export type HelloResult = ReceivedHello | Status | undefined;

/**
 * Reads the client hello, and calls back once. The connection is paused then, and what follows is still in it. `onError` is called
 * with a SingletonError if the bytes are no client hello.
 */
export function readClientHello(
  connection: Duplex,
  onHello: (hello: HelloResult) => void,
  onError: (error: unknown) => void,
): void {
  let bytes: Uint8Array | undefined;
  const stop = (): void => void connection.off('data', onData).off('end', onEnd).off('close', onEnd).pause();
  const onData = (chunk: Uint8Array): void => {
    bytes = bytes ? Buffer.concat([bytes, chunk]) : chunk;
    let hello: ReturnType<typeof decodeClientHello>;
    try {
      hello = decodeClientHello(bytes);
    } catch (error) {
      stop();
      return onError(error);
    }
    if (hello === undefined) return;
    stop();
    if (typeof hello === 'object') giveBack(connection, bytes, hello);
    onHello(hello);
  };
  const onEnd = (): void => {
    stop();
    if (bytes) onError(truncatedHelloError());
    else if (connection.readableEnded) onHello(undefined);
    else onError(invalidHelloError('ERR_SINGLETON_TRUNCATED_MESSAGE', 'the connection was closed before it'));
  };
  // A connection that was accepted paused does not start by itself.
  connection.on('data', onData).on('end', onEnd).on('close', onEnd).resume();
}

/** Returns what arrived after a hello to the stream. */
function giveBack(stream: Duplex, received: Uint8Array, { bytes: { length } }: Received): void {
  if (received.length > length) stream.unshift(received.subarray(length));
}

/** `undefined` as long as bytes are missing. */
function decodeClientHello(bytes: Uint8Array): ReceivedHello | Status | undefined {
  if (bytes[0] !== MAGIC[0] && isLegacyLaunch(bytes)) return STATUS.codec;
  if (!startsWithMagic(bytes))
    throw invalidHelloError('ERR_SINGLETON_MALFORMED_MESSAGE', 'the client speaks another protocol');
  // Not by destructuring: an iterator takes longer than all the rest.
  const version = bytes[MAGIC.length];
  const flags = bytes[MAGIC.length + 1] ?? 0;
  if (version !== undefined && version !== VERSION) return STATUS.version;
  if ((flags & ~(SECURED | FALLBACK)) !== 0) return STATUS.flag;
  if (bytes.length < HEAD_BYTES) return undefined;
  const applicationAt = HEAD_BYTES + (bytes[MAGIC.length + 2] ?? 0);
  const end = applicationAt + (bytes[MAGIC.length + 3] ?? 0);
  if (bytes.length < end) return undefined;
  return {
    isSecured: (flags & SECURED) !== 0,
    codec: bytes.subarray(HEAD_BYTES, applicationAt),
    application: bytes.subarray(applicationAt, end),
    bytes: bytes.length === end ? bytes : bytes.subarray(0, end),
  };
}

/** Whether the bytes that have arrived are those of the magic, as far as they go. */
function startsWithMagic(bytes: Uint8Array): boolean {
  for (let at = 0; at < MAGIC.length && at < bytes.length; at += 1) if (bytes[at] !== MAGIC[at]) return false;
  return true;
}

/** What precedes the names. */
const HEAD_BYTES = MAGIC.length + 4;

/** Whether the bytes that have arrived are a legacy launch, or its beginning. HTTP, TLS and SSH never are: they get no answer. */
function isLegacyLaunch(bytes: Uint8Array): boolean {
  const head = bytes.subarray(0, headLength(bytes));
  // HTTP, TLS and SSH have a NUL or a line feed before that many bytes.
  const isBeginning = bytes.includes(0) ? isUtf8(head) : bytes.length >= MAX_HEAD_BYTES;
  return isBeginning && sniffForeignProtocol(head) === undefined;
}

const MAX_HEAD_BYTES = 16_384;

/** Reads the first handshake message. @throws SingletonError if the stream ends first */
export async function readInitiation(reader: StreamReader): Promise<Uint8Array> {
  const bytes = await reader.readUpTo(INITIATION_BYTES);
  if (bytes.length < INITIATION_BYTES) throw truncatedHelloError();
  return bytes;
}

function truncatedHelloError(): SingletonError {
  return invalidHelloError('ERR_SINGLETON_TRUNCATED_MESSAGE', 'the connection ended in the middle of it');
}

function invalidHelloError(code: SingletonErrorCode, problem: string): SingletonError {
  return new SingletonError(code, `Expected a client hello, but ${problem}.`);
}

export const STATUS = {
  ok: 0,
  version: 1,
  codec: 2,
  application: 3,
  secretRequired: 4,
  secretNotExpected: 5,
  verificationFailed: 6,
  flag: 7,
} as const;

export type Status = (typeof STATUS)[keyof typeof STATUS];

/**
 * The host's answer to a client hello.
 *
 *     magic, 8 bytes | version u8 = 1 | status u8 | 00 | features u8
 *
 * A client ignores features that it does not know. There are none yet. The 00 is not 0 in a client hello that is echoed.
 */
export function encodeHostHello(status: Status): Uint8Array {
  return Buffer.concat([MAGIC, Uint8Array.of(VERSION, status, 0, 0)]);
}

export interface HostHello extends Received {
  readonly version: number;
  readonly status: number;
}

/**
 * Reads the host hello. `undefined` if the connection closes first.
 * @throws SingletonError `ERR_SINGLETON_FOREIGN_HOST` at the first wrong byte; an echoed client hello is rejected too
 */
export function readHostHello(reader: StreamReader): Promise<HostHello | undefined> {
  let bytes: Uint8Array | undefined;
  const take = (): HostHello | undefined => {
    const chunk = reader.tryRead();
    if (!chunk) return undefined;
    bytes = bytes ? Buffer.concat([bytes, chunk]) : chunk;
    const hello = decodeHostHello(bytes);
    if (hello) giveBack(reader.stream, bytes, hello);
    return hello;
  };
  return reader.readUntil(take, () => undefined);
}

/** `undefined` as long as bytes are missing. */
function decodeHostHello(received: Uint8Array): HostHello | undefined {
  const version = received[MAGIC.length] ?? 0;
  const status = received[MAGIC.length + 1] ?? 0;
  const zero = received[MAGIC.length + 2] ?? 0;
  if (!startsWithMagic(received) || zero !== 0) throw foreignHostError();
  if (received.length < HOST_HELLO_BYTES) return undefined;
  return { version, status, bytes: received.subarray(0, HOST_HELLO_BYTES) };
}

function foreignHostError(): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_FOREIGN_HOST',
    'Received an answer that no host sends: another program holds the endpoint. Choose another endpoint.',
  );
}

/** Why a host rejected a client hello, except for a secret. */
export function rejectionError(status: Status): SingletonError {
  if (status === STATUS.application) {
    return new SingletonError(
      'ERR_SINGLETON_WRONG_APPLICATION',
      'Rejected a launch of another application (name). Give each application its own endpoint.',
    );
  }
  return new SingletonError('ERR_SINGLETON_UNSUPPORTED_VERSION', `Rejected a launch with ${DIFFERENCES[status]}.`);
}

const DIFFERENCES: Readonly<Partial<Record<Status, string>>> = {
  [STATUS.version]: 'another protocol version. Update the older program',
  [STATUS.codec]: 'another codec. Use the same codec on both sides',
  [STATUS.flag]: 'an unknown flag. It has a later version of the protocol: update this program',
};
