import { isUtf8 } from 'node:buffer';
import type { Unpackr } from 'msgpackr/pack';
import { SingletonError } from '../interface/errors.ts';
import { MAX_BYTES_WITH_BOM, MAX_DEPTH, MAX_NODES } from './serializable.ts';
/**
 * Looks at a MessagePack message before anything is made of it: one value and nothing behind it, no extension types, keys
 * that are strings and not `__proto__`, valid UTF-8, lengths that fit, and bounds on depth and number.
 * The format: https://github.com/msgpack/msgpack/blob/master/spec.md
 * @throws SingletonError `ERR_SINGLETON_MALFORMED_MESSAGE`
 */
export function scan(bytes: Uint8Array): void {
  new Scan(bytes).run();
}

const PROTO = Buffer.from('__proto__');
/** A shorter string is looked at here: the call would take longer. */
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
    if (this.#at < this.#bytes.length) throw refused('one value; more came behind it');
  }

  /** Calls itself, but no deeper than `MAX_DEPTH`. */
  #value(depth: number): void {
    this.#nodes += 1;
    if (this.#nodes > MAX_NODES) throw refused(`at most ${MAX_NODES} values; more came`);
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
        throw refused('nil, booleans, numbers, strings, binaries, arrays and maps; another type came');
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

  /** An item takes a byte at least, so a length that cannot be true is known at once. */
  #enter(items: number, depth: number): void {
    if (items > this.#bytes.length - this.#at) throw cutOff();
    if (depth === MAX_DEPTH) throw refused(`at most ${MAX_DEPTH} levels; more came`);
  }

  #key(): void {
    const type = this.#byte();
    let length = type & 0x1f;
    if (type >= 0xd9 && type <= 0xdb) length = this.#length(type - 0xd9);
    else if (type < 0xa0 || type > 0xbf) throw refused('keys that are strings; another came');
    const start = this.#at;
    this.#text(length);
    if (length === PROTO.length && PROTO.every((byte, index) => byte === this.#bytes[start + index])) {
      throw refused('no key "__proto__"; one came');
    }
  }

  #text(length: number): void {
    let at = this.#at;
    this.#skip(length);
    const end = this.#at;
    if (length > MAX_BYTES_WITH_BOM && BOM.every((byte, index) => byte === this.#bytes[at + index])) {
      throw refused('no long string that begins with a byte order mark; one came');
    }
    if (length >= NATIVE_UTF8_THRESHOLD) {
      if (!isUtf8(this.#bytes.subarray(at, end))) throw notUtf8();
    } else {
      while (at < end) at = (this.#bytes[at] ?? 0) < 0x80 ? at + 1 : this.#character(at, end);
    }
  }

  /** Where the character ends that begins here and is not ASCII. The ranges: RFC 3629, section 4. */
  #character(start: number, end: number): number {
    const first = this.#bytes[start] ?? 0;
    const second = this.#bytes[start + 1] ?? 0;
    const after = start + (first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4);
    if (first < 0xc2 || first > 0xf4 || after > end) throw notUtf8();
    if (second < (first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80)) throw notUtf8();
    if (second > (first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf)) throw notUtf8();
    for (let at = start + 2; at < after; at += 1) if (((this.#bytes[at] ?? 0) & 0xc0) !== 0x80) throw notUtf8();
    return after;
  }

  #byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw cutOff();
    this.#at += 1;
    return byte;
  }

  /** A number in 1, 2 or 4 bytes: its width is 0, 1 or 2. */
  #length(width: number): number {
    let length = this.#byte();
    for (let more = (1 << width) - 1; more > 0; more -= 1) length = length * 0x100 + this.#byte();
    return length;
  }

  #skip(size: number): void {
    if (size > this.#bytes.length - this.#at) throw cutOff();
    this.#at += size;
  }
}

function notUtf8(): SingletonError {
  return refused('strings in UTF-8; one is not');
}

function cutOff(): SingletonError {
  return refused('a whole value; the message ends in the middle of it');
}

function refused(expected: string): SingletonError {
  return new SingletonError('ERR_SINGLETON_MALFORMED_MESSAGE', `Expected a value in MessagePack: ${expected}.`);
}

/** Makes values of MessagePack that anybody may have sent. `any`, as from `unpack`. */
export function decoderOf(unpackr: Unpackr): (bytes: Uint8Array) => any {
  return (bytes) => {
    // First: alone, `unpack` can be made to take seconds, or to build a function.
    scan(bytes);
    return unpackr.unpack(bytes);
  };
}
