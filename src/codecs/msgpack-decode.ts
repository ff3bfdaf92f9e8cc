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

/**
 * Checks a MessagePack message before it is decoded: one value and no bytes after it, no extension types, only keys
 * that are strings and not `__proto__`, valid UTF-8, lengths that fit, and bounds on depth and number of values.
 * The format: https://github.com/msgpack/msgpack/blob/master/spec.md
 * @throws SingletonError `ERR_SINGLETON_MALFORMED_MESSAGE`
 */
export function scan(bytes: Uint8Array): void {
  new Scan(bytes).run();
}

const PROTO = Buffer.from('__proto__');
/** For shorter strings, the native check is slower than the loop here. */
const NATIVE_UTF8_THRESHOLD = 96;

const BOM = Buffer.from('\u{feff}');

class Scan {
  readonly #bytes: Uint8Array;
  #at = 0;
  #nodes = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  run(): void {
    this.#value(0);
    if (this.#at < this.#bytes.length) throw invalidValueError('more bytes follow it');
  }

  /** Recursive, but no deeper than `MAX_DEPTH`. */
  #value(depth: number): void {
    this.#nodes += 1;
    if (this.#nodes > MAX_NODES) throw invalidValueError(`it holds more than ${MAX_NODES} values`);
    const type = this.#byte();
    if (type <= 0x7f || type >= 0xe0) return;
    if (type <= 0x8f) return this.#map(type & 0x0f, depth);
    if (type <= 0x9f) return this.#list(type & 0x0f, depth);
    if (type <= 0xbf) return this.#text(type & 0x1f);
    switch (type) {
      case 0xc0: // nil
      case 0xc2: // false
      case 0xc3: // true
        return;
      case 0xc4: // bin 8, 16, 32
      case 0xc5:
      case 0xc6:
        return this.#skip(this.#length(type - 0xc4));
      case 0xca: // float 32, 64
      case 0xcb:
        return this.#skip(4 << (type - 0xca));
      case 0xcc: // uint 8 to 64
      case 0xcd:
      case 0xce:
      case 0xcf:
        return this.#skip(1 << (type - 0xcc));
      case 0xd0: // int 8 to 64
      case 0xd1:
      case 0xd2:
      case 0xd3:
        return this.#skip(1 << (type - 0xd0));
      case 0xd9: // str 8, 16, 32
      case 0xda:
      case 0xdb:
        return this.#text(this.#length(type - 0xd9));
      case 0xdc: // array 16, 32
      case 0xdd:
        return this.#list(this.#length(type - 0xdb), depth);
      case 0xde: // map 16, 32
      case 0xdf:
        return this.#map(this.#length(type - 0xdd), depth);
      default:
        throw invalidValueError('it has a type other than nil, boolean, number, string, binary, array and map');
    }
  }

  #list(items: number, depth: number): void {
    this.#enter(items, depth);
    for (let left = items; left > 0; left -= 1) this.#value(depth + 1);
  }

  #map(items: number, depth: number): void {
    this.#enter(2 * items, depth);
    for (let left = items; left > 0; left -= 1) {
      this.#key();
      this.#value(depth + 1);
    }
  }

  /** Each item takes at least one byte, so a length that cannot be true is rejected at once. */
  #enter(items: number, depth: number): void {
    if (items > this.#bytes.length - this.#at) throw truncatedError();
    if (depth === MAX_DEPTH) throw invalidValueError(`it is nested deeper than ${MAX_DEPTH} levels`);
  }

  #key(): void {
    const type = this.#byte();
    let length = type & 0x1f;
    if (type >= 0xd9 && type <= 0xdb) length = this.#length(type - 0xd9);
    else if (type < 0xa0 || type > 0xbf) throw invalidValueError('a key is not a string');
    const start = this.#at;
    this.#text(length);
    if (length === PROTO.length && PROTO.every((byte, index) => byte === this.#bytes[start + index])) {
      throw invalidValueError('it has a key "__proto__"');
    }
  }

  #text(length: number): void {
    let at = this.#at;
    this.#skip(length);
    const end = this.#at;
    if (length > MAX_BYTES_WITH_BOM && BOM.every((byte, index) => byte === this.#bytes[at + index])) {
      throw invalidValueError('a long string begins with a byte order mark');
    }
    if (length >= NATIVE_UTF8_THRESHOLD) {
      if (!isUtf8(this.#bytes.subarray(at, end))) throw notUtf8Error();
    } else {
      while (at < end) at = (this.#bytes[at] ?? 0) < 0x80 ? at + 1 : this.#character(at, end);
    }
  }

  /** The end of the character that begins at `start` and is not ASCII. Ranges: RFC 3629, section 4. */
  #character(start: number, end: number): number {
    const first = this.#bytes[start] ?? 0;
    const second = this.#bytes[start + 1] ?? 0;
    const after = start + (first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4);
    if (first < 0xc2 || first > 0xf4 || after > end) throw notUtf8Error();
    if (second < (first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80)) throw notUtf8Error();
    if (second > (first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf)) throw notUtf8Error();
    for (let at = start + 2; at < after; at += 1) if (((this.#bytes[at] ?? 0) & 0xc0) !== 0x80) throw notUtf8Error();
    return after;
  }

  #byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw truncatedError();
    this.#at += 1;
    return byte;
  }

  /** Reads a number of 1, 2 or 4 bytes, for a width of 0, 1 or 2. */
  #length(width: number): number {
    let length = this.#byte();
    for (let more = (1 << width) - 1; more > 0; more -= 1) length = length * 0x100 + this.#byte();
    return length;
  }

  #skip(size: number): void {
    if (size > this.#bytes.length - this.#at) throw truncatedError();
    this.#at += size;
  }
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
