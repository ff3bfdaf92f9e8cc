import { bufferOf } from '../interface/bytes.ts';
import { malformedError } from '../interface/errors.ts';
import type { ReceiptData, ReceiptOutcome, RefusalCode, StatusData } from '../interface/protocol.ts';
import { decodeFields, encodeFields, FIELD, hostFieldsOf, knownFields, textField, textsOf } from './fields.ts';

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
  /** A reader skips it. */
  ping: 128,
} as const;

/** The longest body of raw bytes (stdout, stderr, stdin); independent of `maxMessageBytes`. */
export const MAX_RAW_BYTES = 65_536;

const OUTCOMES: Readonly<Record<ReceiptOutcome, number>> = { delivered: 1, throttled: 2, released: 3 };
const RECEIPT_HEAD = 17;

/**
 *     outcome u8 (1 delivered, 2 throttled, 3 released) | client u32 | pid of the host u32 | since f64, ms since 1970 | fields
 */
export function encodeReceipt(receipt: ReceiptData): Frame {
  const fields = encodeFields(knownFields(receipt));
  const body = Buffer.allocUnsafe(RECEIPT_HEAD + fields.length);
  body[0] = OUTCOMES[receipt.outcome];
  body.writeUInt32BE(receipt.client, 1);
  body.writeUInt32BE(receipt.pid, 5);
  body.writeDoubleBE(receipt.since, 9);
  body.set(fields, RECEIPT_HEAD);
  return { kind: KIND.receipt, body };
}

/** @throws SingletonError `ERR_SINGLETON_MALFORMED_MESSAGE` */
export function decodeReceipt({ body }: Frame): ReceiptData {
  const bytes = bufferOf(body);
  const outcome = keyOf(OUTCOMES, bytes[0]);
  if (bytes.length < RECEIPT_HEAD || !outcome)
    throw malformedError('a receipt of 17 bytes or more with an outcome from 1 to 3');
  const client = bytes.readUInt32BE(1);
  if (client === 0) throw malformedError('a receipt with a number of the client from 1');
  const { version, token, address } = hostFieldsOf(decodeFields(body.subarray(RECEIPT_HEAD)));
  return { outcome, client, pid: bytes.readUInt32BE(5), since: readTime(bytes, 9), version, token, address };
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
export function encodeStatus({ pid, since, clients, pending, sessions, codecs, ...host }: StatusData): Frame {
  const head = Buffer.alloc(STATUS_HEAD);
  head.writeUInt32BE(pid, 0);
  head.writeDoubleBE(since, 4);
  for (const [index, count] of [clients, pending, sessions].entries()) head.writeUInt32BE(count, 12 + 4 * index);
  const fields = [...knownFields(host), ...codecs.map((name) => textField(FIELD.codec, name))];
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
    ...hostFieldsOf(fields),
    codecs: textsOf(fields, FIELD.codec),
  };
}

/** The range of a `Date`: milliseconds before and after 1970. */
const MAX_TIME = 8.64e15;

function readTime(bytes: Buffer, at: number): number {
  const time = bytes.readDoubleBE(at);
  if (!(Math.abs(time) <= MAX_TIME)) throw malformedError('a valid time');
  return time;
}

function keyOf<Key extends string>(codes: Readonly<Record<Key, number>>, code: number | undefined): Key | undefined {
  for (const key in codes) if (codes[key] === code) return key;
  return undefined;
}
