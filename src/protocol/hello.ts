import type { Duplex } from 'node:stream';
import { SingletonError, type SingletonErrorCode } from '../interface/errors.ts';
import { readUpTo } from './read.ts';

/** Its first byte starts neither UTF-8 nor HTTP, TLS or SSH; the rest shows whether line ends were changed on the way. */
const MAGIC = Uint8Array.of(0xf5, 0x53, 0x53, 0x4c, 0x0d, 0x0a, 0x1a, 0x0a);

export const VERSION = 1;

const SECURED = 1;

/** Either handshake message, which is empty. */
export const HANDSHAKE_BYTES = 48;

/** The longest codec or application name, in UTF-8. */
export const MAX_NAME_BYTES = 255;

/**
 * What a client says first.
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
 * Reads what a client says first, and gives its bytes with it. `undefined` where it speaks another version.
 * @throws SingletonError where it is none
 */
export async function readClientHello(
  stream: Duplex,
): Promise<(ClientHello & { readonly bytes: Uint8Array }) | undefined> {
  const first = await readUpTo(stream, 1);
  if (first.length === 0) throw invalidHelloError('ERR_SINGLETON_TRUNCATED_MESSAGE', 'nothing came');
  if (first[0] !== MAGIC[0])
    throw invalidHelloError('ERR_SINGLETON_MALFORMED_MESSAGE', 'it is another protocol, or the legacy codec');
  const magic = Buffer.concat([first, await readExactly(stream, MAGIC.length - 1)]);
  if (!magic.equals(MAGIC)) throw invalidHelloError('ERR_SINGLETON_MALFORMED_MESSAGE', 'it is another protocol');
  const version = await readExactly(stream, 1);
  if (version[0] !== VERSION) return undefined;
  const head = await readExactly(stream, 3);
  const [flags = 0, codecLength = 0, applicationLength = 0] = head;
  if ((flags & ~SECURED) !== 0)
    throw invalidHelloError('ERR_SINGLETON_MALFORMED_MESSAGE', 'a flag is set that has no meaning');
  const names = await readExactly(stream, codecLength + applicationLength);
  return {
    isSecured: flags === SECURED,
    codec: names.subarray(0, codecLength),
    application: names.subarray(codecLength),
    bytes: Buffer.concat([magic, version, head, names]),
  };
}

/** A part of the preface, or of the handshake message behind it. @throws SingletonError where the stream ends before */
export async function readExactly(stream: Duplex, size: number): Promise<Uint8Array> {
  if (size === 0) return new Uint8Array(0);
  const bytes = await readUpTo(stream, size);
  if (bytes.length < size) throw invalidHelloError('ERR_SINGLETON_TRUNCATED_MESSAGE', 'it ended in the middle');
  return bytes;
}

function invalidHelloError(code: SingletonErrorCode, what: string): SingletonError {
  return new SingletonError(code, `Expected the preface of a conversation; ${what}.`);
}

/** What a host answers to a preface. */
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
 * The host's answer.
 *
 *     magic, 8 bytes | version u8 = 1 | status u8 | 00 00
 */
export function encodeHostHello(status: Status): Uint8Array {
  return Buffer.concat([MAGIC, Uint8Array.of(VERSION, status, 0, 0)]);
}

export interface HostHello {
  /** The host's. */
  readonly version: number;
  readonly status: number;
}

/**
 * Reads a host's answer. `undefined` where the connection was closed before it was whole.
 * @throws SingletonError `ERR_SINGLETON_FOREIGN_HOST` as soon as a byte is not a host's: a preface that is echoed is none
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
    'Expected a host that speaks this conversation; another program holds the endpoint and answered. Choose another endpoint, ' +
      'or the codec of the host.',
  );
}
