import { isUtf8 } from 'node:buffer';
import type { Duplex } from 'node:stream';
import { SingletonError, type SingletonErrorCode } from '../interface/errors.ts';
import { headLength, sniffForeignProtocol } from './legacy/sniff.ts';
import { readUpTo } from './read.ts';

/** As in PNG: the first byte starts neither UTF-8, HTTP, TLS nor SSH; the rest reveals a converted line ending. */
const MAGIC = Uint8Array.of(0xf5, 0x53, 0x53, 0x4c, 0x0d, 0x0a, 0x1a, 0x0a);

export const VERSION = 1;

const SECURED = 1;

/** The size of either Noise handshake message; both have an empty payload. */
export const HANDSHAKE_BYTES = 48;

/** The longest codec or application name, as UTF-8. */
export const MAX_NAME_BYTES = 255;

/**
 * The first bytes that a client sends.
 *
 *     magic, 8 bytes | version u8 = 1 | flags u8 (bit 0: secured) | n u8 | m u8 | codec, n bytes | application, m bytes
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
 * version or the legacy codec.
 * @throws SingletonError if the bytes are no client hello
 */
export async function readClientHello(
  stream: Duplex,
): Promise<(ClientHello & { readonly bytes: Uint8Array }) | typeof STATUS.version | typeof STATUS.codec> {
  const first = await readUpTo(stream, 1);
  if (first.length === 0) throw invalidHelloError('ERR_SINGLETON_TRUNCATED_MESSAGE', 'the client sent nothing');
  if (first[0] !== MAGIC[0] && isLegacyLaunch(stream, first)) return STATUS.codec;
  if (first[0] !== MAGIC[0])
    throw invalidHelloError('ERR_SINGLETON_MALFORMED_MESSAGE', 'the client speaks another protocol');
  const magic = Buffer.concat([first, await readExactly(stream, MAGIC.length - 1)]);
  if (!magic.equals(MAGIC))
    throw invalidHelloError('ERR_SINGLETON_MALFORMED_MESSAGE', 'the client speaks another protocol');
  const version = await readExactly(stream, 1);
  if (version[0] !== VERSION) return STATUS.version;
  const head = await readExactly(stream, 3);
  const [flags = 0, codecLength = 0, applicationLength = 0] = head;
  if ((flags & ~SECURED) !== 0) throw invalidHelloError('ERR_SINGLETON_MALFORMED_MESSAGE', 'an unknown flag is set');
  const names = await readExactly(stream, codecLength + applicationLength);
  return {
    isSecured: flags === SECURED,
    codec: names.subarray(0, codecLength),
    application: names.subarray(codecLength),
    bytes: Buffer.concat([magic, version, head, names]),
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
} as const;

export type Status = (typeof STATUS)[keyof typeof STATUS];

/**
 * The host's answer to a client hello.
 *
 *     magic, 8 bytes | version u8 = 1 | status u8 | 00 00
 */
export function encodeHostHello(status: Status): Uint8Array {
  return Buffer.concat([MAGIC, Uint8Array.of(VERSION, status, 0, 0)]);
}

export interface HostHello {
  readonly version: number;
  readonly status: number;
}

/**
 * Reads the host hello. `undefined` if the connection closes first.
 * @throws SingletonError `ERR_SINGLETON_FOREIGN_HOST` at the first wrong byte; an echoed client hello is rejected too
 */
export async function readHostHello(stream: Duplex): Promise<HostHello | undefined> {
  const first = await readUpTo(stream, 1);
  if (first.length === 0) return undefined;
  if (first[0] !== MAGIC[0]) throw foreignHostError();
  const rest = await readUpTo(stream, MAGIC.length + 3);
  if (rest.length < MAGIC.length + 3) return undefined;
  const [version = 0, status = 0, ...zeros] = rest.subarray(MAGIC.length - 1);
  const isMagic = Buffer.from(MAGIC.subarray(1)).equals(rest.subarray(0, MAGIC.length - 1));
  if (!isMagic || zeros.some((zero) => zero !== 0)) throw foreignHostError();
  return { version, status };
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
  const difference =
    status === STATUS.codec
      ? 'another codec. Use the same codec on both sides'
      : 'another protocol version. Update the older program';
  return new SingletonError('ERR_SINGLETON_UNSUPPORTED_VERSION', `Rejected a launch with ${difference}.`);
}
