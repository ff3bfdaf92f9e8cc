import { isUtf8 } from 'node:buffer';
import type { ReceiptData, ReceiptOutcome, Launch, RefusalCode } from '../interface/codec.ts';
import { SingletonError } from '../interface/errors.ts';

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
} as const;

/** The longest body of raw bytes (stdout, stderr, stdin); independent of `maxMessageBytes`. */
export const MAX_RAW_BYTES = 65_536;

/** A launch whose arguments are still serialized. */
export type PackedLaunch = Launch<Uint8Array>;

const WAITS = 1;
const LAUNCH_HEAD = 7;

/**
 *     flags u8 (bit 0: waits) | pid u32 | n u16 | cwd, n bytes of UTF-8 | arguments, in the codec
 *     pid 0 or n 0: unknown
 */
export function encodeLaunch({ args, cwd = '', pid = 0, wait = false }: PackedLaunch): Frame {
  const length = Buffer.byteLength(cwd);
  // Longer than any path can be: sent as unknown.
  const cwdLength = length > 0xffff ? 0 : length;
  const body = Buffer.allocUnsafe(LAUNCH_HEAD + cwdLength + args.length);
  body[0] = wait ? WAITS : 0;
  body.writeUInt32BE(pid, 1);
  body.writeUInt16BE(cwdLength, 5);
  body.write(cwd, LAUNCH_HEAD, cwdLength);
  body.set(args, LAUNCH_HEAD + cwdLength);
  return { kind: KIND.launch, body };
}

/** @throws SingletonError `ERR_SINGLETON_MALFORMED_MESSAGE` */
export function decodeLaunch({ kind, body }: Frame): PackedLaunch {
  if (kind !== KIND.launch) throw malformedError(`a launch (kind ${KIND.launch}), got a frame of kind ${kind}`);
  if (body.length < LAUNCH_HEAD) throw malformedError(`a launch of ${LAUNCH_HEAD} bytes or more, got ${body.length}`);
  const head = new DataView(body.buffer, body.byteOffset, LAUNCH_HEAD);
  const flags = head.getUint8(0);
  if ((flags & ~WAITS) !== 0) throw malformedError('a launch without unknown flags, but one is set');
  const pid = head.getUint32(1) || undefined;
  const end = LAUNCH_HEAD + head.getUint16(5);
  const cwd = end > LAUNCH_HEAD ? decodePath(body, end) : undefined;
  return { args: body.subarray(end), cwd, pid, wait: flags === WAITS };
}

function decodePath({ buffer, byteOffset, length }: Uint8Array, end: number): string {
  const path = end <= length && Buffer.from(buffer, byteOffset + LAUNCH_HEAD, end - LAUNCH_HEAD);
  if (path && isUtf8(path)) return path.toString();
  throw malformedError('a working directory in UTF-8, but it is longer than the launch or not UTF-8');
}

/** The receipt as it is sent. */
export interface PackedReceipt extends ReceiptData {
  readonly pid: number;
}

const OUTCOMES: Readonly<Record<ReceiptOutcome, number>> = { delivered: 1, throttled: 2, released: 3 };
const RECEIPT_BYTES = 17;

/**
 *     outcome u8 (1 delivered, 2 throttled, 3 released) | client u32 | pid of the host u32 | since f64, ms since 1970
 */
export function encodeReceipt({ outcome, client, pid, since }: PackedReceipt): Frame {
  const body = Buffer.alloc(RECEIPT_BYTES);
  body.writeUInt8(OUTCOMES[outcome], 0);
  body.writeUInt32BE(client, 1);
  body.writeUInt32BE(pid, 5);
  body.writeDoubleBE(since, 9);
  return { kind: KIND.receipt, body };
}

/** The range of a `Date`: milliseconds before and after 1970. */
const MAX_TIME = 8.64e15;

/** @throws SingletonError `ERR_SINGLETON_MALFORMED_MESSAGE` */
export function decodeReceipt({ body }: Frame): PackedReceipt {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.length);
  const outcome = keyOf(OUTCOMES, bytes[0]);
  if (bytes.length !== RECEIPT_BYTES || !outcome)
    throw malformedError('a receipt of 17 bytes with an outcome from 1 to 3');
  const since = bytes.readDoubleBE(9);
  if (!(Math.abs(since) <= MAX_TIME)) throw malformedError('a receipt with a valid time');
  const client = bytes.readUInt32BE(1);
  if (client === 0) throw malformedError('a receipt with a number of the client from 1');
  return { outcome, client, pid: bytes.readUInt32BE(5), since };
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
};

/**
 *     reason u8 (1 invalid arguments, 2 too large, 3 malformed, 4 busy, 5 not taken; after the receipt, in a session:
 *                3 malformed, 6 a listener of the host failed, 7 the host was released)
 */
export function encodeRefusal(refusal: Refusal): Frame {
  return { kind: KIND.refusal, body: Uint8Array.of(REFUSALS[refusal]) };
}

/** @throws SingletonError `ERR_SINGLETON_MALFORMED_MESSAGE` */
export function decodeRefusal({ body }: Frame): Refusal {
  const refusal = keyOf(REFUSALS, body[0]);
  if (body.length !== 1 || !refusal) throw malformedError('a refusal of one byte from 1 to 7');
  return refusal;
}

/** Body: status u8. */
export function encodeExit(code: number): Frame {
  return { kind: KIND.exit, body: Uint8Array.of(code) };
}

/** @throws SingletonError `ERR_SINGLETON_MALFORMED_MESSAGE` */
export function decodeExit({ body }: Frame): number {
  const [code] = body;
  if (body.length !== 1 || code === undefined) throw malformedError('a status of one byte');
  return code;
}

/** Body: bytes u32, how many more bytes of stdin the client may send. */
export function encodeWindowUpdate(bytes: number): Frame {
  const body = Buffer.alloc(4);
  body.writeUInt32BE(bytes);
  return { kind: KIND.windowUpdate, body };
}

/** @throws SingletonError `ERR_SINGLETON_MALFORMED_MESSAGE` */
export function decodeWindowUpdate({ body }: Frame): number {
  if (body.length !== 4) throw malformedError('a window update of 4 bytes');
  return Buffer.from(body.buffer, body.byteOffset, body.length).readUInt32BE();
}

function keyOf<Key extends string>(codes: Readonly<Record<Key, number>>, code: number | undefined): Key | undefined {
  for (const key in codes) if (codes[key] === code) return key;
  return undefined;
}

export function malformedError(expected: string): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_MALFORMED_MESSAGE',
    `Expected ${expected}. The peer may run another version.`,
  );
}
