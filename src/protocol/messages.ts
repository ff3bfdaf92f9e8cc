import { isUtf8 } from 'node:buffer';
import type { StatusData } from '../interface/protocol.ts';
import type { ReceiptData, ReceiptOutcome, Launch, RefusalCode } from '../interface/protocol.ts';
import { malformedError } from '../interface/errors.ts';
import { decodeFields, encodeFields, type Field, FIELD, textField, textsOf } from './fields.ts';
import { decodeTerminals, encodeTerminals } from './terminal.ts';

/** One message of the structured protocol, after the hellos. */
export interface Frame {
  readonly kind: number;
  readonly body: Uint8Array;
}

export const KIND = {
  launch: 1,
  receipt: 2,
  refusal: 3,
  reply: 4,
  exit: 5,
  stdout: 6,
  stderr: 7,
  stdin: 8,
  windowUpdate: 9,
  statusRequest: 10,
  status: 11,
  replace: 12,
  replaced: 13,
  resize: 14,
  signal: 15,
} as const;

/** The longest body of raw bytes (stdout, stderr, stdin); independent of `maxMessageBytes`. */
export const MAX_RAW_BYTES = 65_536;

/** A launch whose arguments are still serialized. */
export type PackedLaunch = Launch<Uint8Array>;

const WAITS = 1;
const LAUNCH_HEAD = 7;
const LENGTH_BYTES = 4;

/**
 *     flags u8 (bit 0: waits) | pid u32 | n u16 | cwd, n bytes of UTF-8 | f u32 | fields, f bytes | arguments, in the codec
 *     pid 0 or n 0: unknown
 *
 * @throws SingletonError `ERR_SINGLETON_UNENCODABLE` if the version or a variable is too long
 */
export function encodeLaunch({ args, cwd = '', pid = 0, wait = false, ...rest }: PackedLaunch): Frame {
  const path = Buffer.from(cwd);
  // Longer than any path can be: sent as unknown.
  const cwdLength = path.length > 0xffff ? 0 : path.length;
  const fields = encodeFields(fieldsOf(rest));
  const head = Buffer.alloc(LAUNCH_HEAD);
  head.writeUInt8(wait ? WAITS : 0);
  head.writeUInt32BE(pid, 1);
  head.writeUInt16BE(cwdLength, 5);
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(fields.length);
  return { kind: KIND.launch, body: Buffer.concat([head, path.subarray(0, cwdLength), length, fields, args]) };
}

function fieldsOf({ version, env = {}, terminals = {} }: Omit<PackedLaunch, 'args'>): readonly Field[] {
  return [
    ...versionField(version),
    ...encodeTerminals(terminals).map((value) => ({ key: FIELD.terminal, value })),
    ...Object.entries(env).map(([name, value]) => textField(FIELD.env, `${name}=${value}`)),
  ];
}

/** @throws SingletonError `ERR_SINGLETON_MALFORMED_MESSAGE` */
export function decodeLaunch({ kind, body }: Frame): PackedLaunch {
  if (kind !== KIND.launch) throw malformedError(`a launch (kind ${KIND.launch}), got a frame of kind ${kind}`);
  const bytes = bufferOf(body);
  const end = LAUNCH_HEAD + (bytes.length < LAUNCH_HEAD ? 0 : bytes.readUInt16BE(5));
  const fieldsStart = end + LENGTH_BYTES;
  if (bytes.length < fieldsStart) throw malformedError('a launch that is longer than its working directory');
  const argsStart = fieldsStart + bytes.readUInt32BE(end);
  if (bytes.length < argsStart) throw malformedError('a launch that is longer than its fields');
  const flags = bytes.readUInt8();
  if ((flags & ~WAITS) !== 0) throw malformedError('a launch without unknown flags, but one is set');
  const fields = decodeFields(body.subarray(fieldsStart, argsStart));
  return {
    args: body.subarray(argsStart),
    cwd: end > LAUNCH_HEAD ? decodePath(bytes.subarray(LAUNCH_HEAD, end)) : undefined,
    pid: bytes.readUInt32BE(1) || undefined,
    wait: flags === WAITS,
    version: versionOf(fields),
    env: decodeEnv(textsOf(fields, FIELD.env)),
    terminals: decodeTerminals(fields.filter(({ key }) => key === FIELD.terminal).map(({ value }) => value)),
  };
}

function decodePath(path: Buffer): string {
  if (isUtf8(path)) return path.toString();
  throw malformedError('a working directory in UTF-8');
}

/** An object without a prototype, so that a variable may have any name. */
function decodeEnv(variables: readonly string[]): Readonly<Record<string, string>> {
  const env: Record<string, string> = Object.create(null);
  for (const variable of variables) {
    const at = variable.indexOf('=');
    if (at < 1) throw malformedError('an environment variable with a name and "="');
    env[variable.slice(0, at)] = variable.slice(at + 1);
  }
  return env;
}

/** The receipt as it is sent. */
export interface PackedReceipt extends ReceiptData {
  readonly pid: number;
}

const OUTCOMES: Readonly<Record<ReceiptOutcome, number>> = { delivered: 1, throttled: 2, released: 3 };
const RECEIPT_HEAD = 17;

/**
 *     outcome u8 (1 delivered, 2 throttled, 3 released) | client u32 | pid of the host u32 | since f64, ms since 1970 | fields
 */
export function encodeReceipt({ outcome, client, pid, since, version }: PackedReceipt): Frame {
  const head = Buffer.alloc(RECEIPT_HEAD);
  head.writeUInt8(OUTCOMES[outcome], 0);
  head.writeUInt32BE(client, 1);
  head.writeUInt32BE(pid, 5);
  head.writeDoubleBE(since, 9);
  return { kind: KIND.receipt, body: Buffer.concat([head, encodeFields(versionField(version))]) };
}

/** @throws SingletonError `ERR_SINGLETON_MALFORMED_MESSAGE` */
export function decodeReceipt({ body }: Frame): PackedReceipt {
  const bytes = bufferOf(body);
  const outcome = keyOf(OUTCOMES, bytes[0]);
  if (bytes.length < RECEIPT_HEAD || !outcome)
    throw malformedError('a receipt of 17 bytes or more with an outcome from 1 to 3');
  const client = bytes.readUInt32BE(1);
  if (client === 0) throw malformedError('a receipt with a number of the client from 1');
  const version = versionOf(decodeFields(body.subarray(RECEIPT_HEAD)));
  return { outcome, client, pid: bytes.readUInt32BE(5), since: readTime(bytes, 9), version };
}

/** Why a launch was rejected: an error code, or `not-taken`, after which the client may deliver it again. */
export type Refusal = RefusalCode | 'not-taken';

const REFUSALS: Readonly<Record<Refusal, number>> = {
  ERR_SINGLETON_INVALID_ARGS: 1,
  ERR_SINGLETON_MESSAGE_TOO_LARGE: 2,
  ERR_SINGLETON_MALFORMED_MESSAGE: 3,
  ERR_SINGLETON_BUSY: 4,
  'not-taken': 5,
  ERR_SINGLETON_LISTENER_FAILED: 6,
  ERR_SINGLETON_RELEASED: 7,
  ERR_SINGLETON_REPLACE_REFUSED: 8,
};

/** The longest text that a refusal has. */
const MAX_TEXT_BYTES = 255;

/**
 *     reason u8 (1 invalid arguments, 2 too large, 3 malformed, 4 busy, 5 not taken, 8 replace refused; after the receipt, in
 *                a session: 3 malformed, 6 a listener of the host failed, 7 the host was released) | fields
 *
 * `text` is for a log of the client.
 */
export function encodeRefusal(refusal: Refusal, text = ''): Frame {
  const value = Buffer.from(text);
  // Not in the middle of a character.
  let end = Math.min(value.length, MAX_TEXT_BYTES);
  while (end < value.length && isContinuation(value[end])) end -= 1;
  const fields = end === 0 ? [] : [{ key: FIELD.message, value: value.subarray(0, end) }];
  return {
    kind: KIND.refusal,
    body: Buffer.concat([Uint8Array.of(REFUSALS[refusal]), encodeFields(fields)]),
  };
}

function isContinuation(byte = 0): boolean {
  return (byte & 0xc0) === 0x80;
}

/** @throws SingletonError `ERR_SINGLETON_MALFORMED_MESSAGE` */
export function decodeRefusal({ body }: Frame): { readonly refusal: Refusal; readonly text: string | undefined } {
  const refusal = keyOf(REFUSALS, body[0]);
  if (!refusal) throw malformedError('a refusal with a reason from 1 to 8');
  return { refusal, text: textsOf(decodeFields(body.subarray(1)), FIELD.message).at(-1) };
}

const STATUS_HEAD = 24;

/**
 *     pid of the host u32 | since f64, ms since 1970 | clients u32 | pending u32 | sessions u32 | fields
 */
export function encodeStatus({ pid, since, clients, pending, sessions, version, codecs }: StatusData): Frame {
  const head = Buffer.alloc(STATUS_HEAD);
  head.writeUInt32BE(pid, 0);
  head.writeDoubleBE(since, 4);
  for (const [index, count] of [clients, pending, sessions].entries()) head.writeUInt32BE(count, 12 + 4 * index);
  const fields = [...versionField(version), ...codecs.map((name) => textField(FIELD.codec, name))];
  return { kind: KIND.status, body: Buffer.concat([head, encodeFields(fields)]) };
}

/** @throws SingletonError `ERR_SINGLETON_MALFORMED_MESSAGE` */
export function decodeStatus({ body }: Frame): StatusData {
  const bytes = bufferOf(body);
  if (bytes.length < STATUS_HEAD) throw malformedError(`a status of ${STATUS_HEAD} bytes or more`);
  const [clients, pending, sessions] = [bytes.readUInt32BE(12), bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
  const fields = decodeFields(body.subarray(STATUS_HEAD));
  return {
    pid: bytes.readUInt32BE(0),
    since: readTime(bytes, 4),
    clients,
    pending,
    sessions,
    version: versionOf(fields),
    codecs: textsOf(fields, FIELD.codec),
  };
}

function versionField(version: string | undefined): readonly Field[] {
  return version === undefined ? [] : [textField(FIELD.version, version)];
}

/** The longest version of a program, in bytes. */
export const MAX_VERSION_BYTES = 255;

function versionOf(fields: readonly Field[]): string | undefined {
  const versions = fields.filter(({ key }) => key === FIELD.version);
  if (versions.some(({ value: { length } }) => length === 0 || length > MAX_VERSION_BYTES))
    throw malformedError(`a version of 1 to ${MAX_VERSION_BYTES} bytes`);
  return textsOf(versions, FIELD.version).at(-1);
}

/** The range of a `Date`: milliseconds before and after 1970. */
const MAX_TIME = 8.64e15;

function readTime(bytes: Buffer, at: number): number {
  const time = bytes.readDoubleBE(at);
  if (!(Math.abs(time) <= MAX_TIME)) throw malformedError('a valid time');
  return time;
}

/** The same memory. */
function bufferOf({ buffer, byteOffset, length }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, length);
}

function keyOf<Key extends string>(codes: Readonly<Record<Key, number>>, code: number | undefined): Key | undefined {
  for (const key in codes) if (codes[key] === code) return key;
  return undefined;
}
