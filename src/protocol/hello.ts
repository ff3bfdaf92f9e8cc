import { isUtf8 } from 'node:buffer';
import type { Duplex } from 'node:stream';
import { SingletonError, type SingletonErrorCode } from '../interface/errors.ts';
import { headLength, sniffForeignProtocol } from './legacy/sniff.ts';
import { readUpTo } from './read.ts';

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
  const head = [VERSION, isSecured ? SECURED : 0, codec.length, application.length];
  return Buffer.concat([MAGIC, Uint8Array.from(head), codec, application]);
}

/**
 * Reads the client hello and also returns its bytes; or returns the status to reject the client with, if it has another
 * version, an unknown flag or the legacy codec. `undefined` if the connection ends without a byte.
 * @throws SingletonError if the bytes are no client hello
 */
export async function readClientHello(
  stream: Duplex,
): Promise<(ClientHello & { readonly bytes: Uint8Array }) | Status | undefined> {
  const first = await readUpTo(stream, 1);
  if (first.length === 0) {
    if (stream.readableEnded) return undefined;
    throw invalidHelloError('ERR_SINGLETON_TRUNCATED_MESSAGE', 'the connection was closed before it');
  }
  if (first[0] !== MAGIC[0] && isLegacyLaunch(stream, first)) return STATUS.codec;
  if (first[0] !== MAGIC[0])
    throw invalidHelloError('ERR_SINGLETON_MALFORMED_MESSAGE', 'the client speaks another protocol');
  const magic = Buffer.concat([first, await readExactly(stream, MAGIC.length - 1)]);
  if (!magic.equals(MAGIC))
    throw invalidHelloError('ERR_SINGLETON_MALFORMED_MESSAGE', 'the client speaks another protocol');
  const version = await readExactly(stream, 1);
  if (version[0] !== VERSION) return STATUS.version;
  const flags = await readExactly(stream, 1);
  const [flag = 0] = flags;
  if ((flag & ~(SECURED | FALLBACK)) !== 0) return STATUS.flag;
  const lengths = await readExactly(stream, 2);
  const [codecLength = 0, applicationLength = 0] = lengths;
  const names = await readExactly(stream, codecLength + applicationLength);
  return {
    isSecured: (flag & SECURED) !== 0,
    codec: names.subarray(0, codecLength),
    application: names.subarray(codecLength),
    bytes: Buffer.concat([magic, version, flags, lengths, names]),
  };
}

/** Whether the bytes that have arrived are a legacy launch, or its beginning. HTTP, TLS and SSH never are: they get no answer. */
function isLegacyLaunch(stream: Duplex, first: Uint8Array): boolean {
  const rest: unknown = stream.read();
  const bytes = rest instanceof Uint8Array ? Buffer.concat([first, rest]) : first;
  const head = bytes.subarray(0, headLength(bytes));
  // HTTP, TLS and SSH have a NUL or a line feed before that many bytes.
  const isBeginning = bytes.includes(0) ? isUtf8(head) : bytes.length >= MAX_HEAD_BYTES;
  return isBeginning && sniffForeignProtocol(head) === undefined;
}

const MAX_HEAD_BYTES = 16_384;

/** Reads a part of the client hello or of the handshake message. @throws SingletonError if the stream ends first */
export async function readExactly(stream: Duplex, size: number): Promise<Uint8Array> {
  if (size === 0) return new Uint8Array(0);
  const bytes = await readUpTo(stream, size);
  if (bytes.length < size)
    throw invalidHelloError('ERR_SINGLETON_TRUNCATED_MESSAGE', 'the connection ended in the middle of it');
  return bytes;
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

export interface HostHello {
  readonly version: number;
  readonly status: number;
  readonly bytes: Uint8Array;
}

/**
 * Reads the host hello. `undefined` if the connection closes first.
 * @throws SingletonError `ERR_SINGLETON_FOREIGN_HOST` at the first wrong byte; an echoed client hello is rejected too
 */
export async function readHostHello(stream: Duplex): Promise<HostHello | undefined> {
  const first = await readUpTo(stream, 1);
  if (first.length === 0) return undefined;
  if (first[0] !== MAGIC[0]) throw foreignHostError();
  const bytes = Buffer.concat([first, await readUpTo(stream, HOST_HELLO_BYTES - 1)]);
  if (bytes.length < HOST_HELLO_BYTES) return undefined;
  const [version = 0, status = 0, zero] = bytes.subarray(MAGIC.length);
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC) || zero !== 0) throw foreignHostError();
  return { version, status, bytes };
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
