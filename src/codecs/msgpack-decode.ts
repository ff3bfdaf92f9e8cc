import { isUtf8 } from 'node:buffer';
import type { Unpackr } from 'msgpackr/unpack';
import { SingletonError } from '../interface/errors.ts';
import { MAX_BYTES_WITH_BOM, MAX_DEPTH, MAX_NODES } from './serializable.ts';

/** Decodes MessagePack of an untrusted peer. Returns `any`, as `unpack` does. */
export function decoderOf(unpackr: Unpackr): (bytes: Uint8Array) => any {
  return (bytes) => {
    // Hostile bytes can make `unpack` run for seconds or build a function, so check them first.
    scan(bytes);
    return unpackr.unpack(bytes);
  };
}

// What a type byte begins, plus how many bytes its number or its length takes. The rest are scalars.
const TEXT = 0x10;
const BINARY = 0x20;
const LIST = 0x30;
const MAP = 0x40;
const INVALID = 0x50;
const FORMS = new Uint8Array(0x100)
  .fill(MAP, 0x80, 0x90)
  .fill(LIST, 0x90, 0xa0)
  .fill(TEXT, 0xa0, 0xc0)
  .fill(INVALID, 0xc1, 0xc2)
  .fill(INVALID, 0xc7, 0xd9); // extensions
FORMS.set([BINARY | 1, BINARY | 2, BINARY | 4], 0xc4);
FORMS.set([4, 8, 1, 2, 4, 8, 1, 2, 4, 8], 0xca); // float 32 and 64, uint 8 to 64, int 8 to 64
FORMS.set([TEXT | 1, TEXT | 2, TEXT | 4, LIST | 2, LIST | 4, MAP | 2, MAP | 4], 0xd9);

/**
 * Checks a MessagePack message before it is decoded: one value and no bytes after it, no extension types, only keys
 * that are strings and not `__proto__`, valid UTF-8, lengths that fit, and bounds on depth and number of values.
 * The format: https://github.com/msgpack/msgpack/blob/master/spec.md
 *
 * One loop over local variables: methods and fields take twice the time.
 * @throws SingletonError `ERR_SINGLETON_MALFORMED_MESSAGE`
 */
export function scan(bytes: Uint8Array): void {
  const { length } = bytes;
  const texts = new Texts(bytes);
  let { start, end } = texts;
  /** What is left of the containers around the current one; inverted for a map. */
  const outer: number[] = [];
  let depth = 0;
  let isMap = false;
  /** Values, and keys of a map: a key if it is odd. */
  let left = 1;
  let nodes = 1;
  let at = 0;
  for (;;) {
    while (left === 0) {
      if (depth === 0) {
        if (at < length) throw invalidValueError('more bytes follow it');
        return texts.check(at);
      }
      depth -= 1;
      left = outer[depth] ?? 0;
      isMap = left < 0;
      if (isMap) left = ~left;
    }
    left -= 1;
    if (at === length) throw truncatedError();
    const type = bytes[at] ?? 0;
    const form = FORMS[type] ?? INVALID;
    const kind = form & 0xf0;
    if (at < end) part[at - start] = 0;
    at += 1;
    let size = type & (kind === TEXT ? 0x1f : 0x0f);
    const width = form & 0x0f;
    if (width > 0) {
      if (width > length - at) throw truncatedError();
      size = 0;
      for (const after = at + width; at < after; at += 1) {
        size = size * 0x100 + (bytes[at] ?? 0);
        if (at < end) part[at - start] = 0;
      }
    }
    if (kind === TEXT) {
      const after = at + size;
      if (after > length) throw truncatedError();
      if (isLongWithBom(bytes, at, size)) throw invalidValueError('a long string begins with a byte order mark');
      if (isMap && left % 2 === 1 && isProto(bytes, at, size)) throw invalidValueError('it has a key "__proto__"');
      if (after > end) {
        texts.checkNext(at, after);
        ({ start, end } = texts);
      }
      at = after;
    } else if (isMap && left % 2 === 1) {
      throw invalidValueError('a key is not a string');
    } else if (kind === LIST || kind === MAP) {
      if (depth === MAX_DEPTH) throw invalidValueError(`it is nested deeper than ${MAX_DEPTH} levels`);
      outer[depth] = isMap ? ~left : left;
      depth += 1;
      isMap = kind === MAP;
      left = isMap ? 2 * size : size;
      // Each item takes at least one byte, so a length that cannot be true is rejected at once.
      if (left > length - at) throw truncatedError();
      nodes += size;
      if (nodes > MAX_NODES) throw invalidValueError(`it holds more than ${MAX_NODES} values`);
    } else if (kind === BINARY) {
      if (size > length - at) throw truncatedError();
      texts.clear(at, at + size);
      at += size;
    } else if (kind === INVALID) {
      throw invalidValueError('it has a type other than nil, boolean, number, string, binary, array and map');
    }
  }
}

const PROTO = Buffer.from('__proto__');

function isProto(bytes: Uint8Array, at: number, size: number): boolean {
  return size === PROTO.length && bytes[at] === PROTO[0] && PROTO.equals(bytes.subarray(at, at + size));
}

/** U+FEFF is `ef bb bf`. */
function isLongWithBom(bytes: Uint8Array, at: number, size: number): boolean {
  return size > MAX_BYTES_WITH_BOM && bytes[at] === 0xef && bytes[at + 1] === 0xbb && bytes[at + 2] === 0xbf;
}

/** For fewer bytes, a native check is slower than a loop. */
const NATIVE_THRESHOLD = 96;

const part = Buffer.allocUnsafe(2 ** 14);

/**
 * Copies a part of a message, from `start` to `end`, and checks the UTF-8 of all its strings by one native call. Zeros
 * replace what is no string, so that no character can continue from one string to the next.
 */
class Texts {
  readonly #bytes: Uint8Array;
  start = 0;
  end = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#copyFrom(0);
  }

  /** Checks the strings before `at`, and copies a part that begins with the next one. */
  checkNext(at: number, after: number): void {
    this.check(at);
    this.#copyFrom(at);
    if (after <= this.end) return;
    this.end = at;
    if (!isUtf8Alone(this.#bytes, at, after)) throw notUtf8Error();
  }

  check(at: number): void {
    const size = Math.min(at, this.end) - this.start;
    if (size > 0 && !isUtf8(part.subarray(0, size))) throw notUtf8Error();
  }

  clear(at: number, after: number): void {
    if (at < this.end) part.fill(0, at - this.start, Math.min(after, this.end) - this.start);
  }

  #copyFrom(at: number): void {
    this.start = at;
    this.end = Math.min(this.#bytes.length, at + part.length);
    if (this.end - at < NATIVE_THRESHOLD) this.end = at;
    else part.set(this.#bytes.subarray(at, this.end));
  }
}

function isUtf8Alone(bytes: Uint8Array, at: number, after: number): boolean {
  let all = after - at < NATIVE_THRESHOLD ? 0 : 0x80;
  for (let index = at; index < after && all < 0x80; index += 1) all |= bytes[index] ?? 0;
  return all < 0x80 || isUtf8(bytes.subarray(at, after));
}

function notUtf8Error(): SingletonError {
  return invalidValueError('a string is not UTF-8');
}

function truncatedError(): SingletonError {
  return invalidValueError('it is incomplete');
}

function invalidValueError(problem: string): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_MALFORMED_MESSAGE',
    `Could not decode a value as MessagePack: ${problem}. The peer may run another version of the program.`,
  );
}
