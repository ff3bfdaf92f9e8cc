import { Buffer, isUtf8 } from 'node:buffer';
import { SingletonError } from '../core/errors.ts';
import { MAX_DEPTH, MAX_NODES } from './plain.ts';

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

class Scan {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  /** What is still to come in each open container; of a map, keys and values. The outermost holds the message. */
  readonly #left = new Float64Array(MAX_DEPTH + 1);
  readonly #isMap = new Uint8Array(MAX_DEPTH + 1);
  #depth = 0;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#left[0] = 1;
  }

  run(): void {
    for (let nodes = 0; this.#depth >= 0;) {
      const left = this.#left[this.#depth] ?? 0;
      if (left === 0) {
        this.#depth -= 1;
        continue;
      }
      this.#left[this.#depth] = left - 1;
      const isKey = this.#isMap[this.#depth] === 1 && left % 2 === 0;
      if (!isKey) nodes += 1;
      if (nodes > MAX_NODES) throw refused(`at most ${MAX_NODES} values; more came`);
      this.#item(isKey);
    }
    if (this.#at < this.#bytes.length) throw refused('one value; more came behind it');
  }

  #item(isKey: boolean): void {
    const type = this.#number(1);
    if (type >= 0xa0 && type <= 0xbf) return this.#text(type & 0x1f, isKey);
    if (type >= 0xd9 && type <= 0xdb) return this.#text(this.#number(2 ** (type - 0xd9)), isKey);
    if (isKey) throw refused('keys that are strings; another came');
    if (type <= 0x7f || type >= 0xe0) return;
    if (type <= 0x8f) return this.#open(2 * (type & 0x0f), 1);
    if (type <= 0x9f) return this.#open(type & 0x0f, 0);
    switch (type) {
      case 0xc0: // nil
      case 0xc2: // false
      case 0xc3: // true
        return;
      case 0xc4: // bin 8, 16, 32
      case 0xc5:
      case 0xc6:
        return this.#skip(this.#number(2 ** (type - 0xc4)));
      case 0xca: // float 32, 64
      case 0xcb:
        return this.#skip(4 * 2 ** (type - 0xca));
      case 0xcc: // uint 8 to 64
      case 0xcd:
      case 0xce:
      case 0xcf:
        return this.#skip(2 ** (type - 0xcc));
      case 0xd0: // int 8 to 64
      case 0xd1:
      case 0xd2:
      case 0xd3:
        return this.#skip(2 ** (type - 0xd0));
      case 0xdc: // array 16, 32
      case 0xdd:
        return this.#open(this.#number(2 ** (type - 0xdb)), 0);
      case 0xde: // map 16, 32
      case 0xdf:
        return this.#open(2 * this.#number(2 ** (type - 0xdd)), 1);
      default:
        throw refused('nil, booleans, numbers, strings, binaries, arrays and maps; another type came');
    }
  }

  /** The unsigned number of so many bytes. */
  #number(size: number): number {
    const start = this.#at;
    this.#skip(size);
    if (size === 1) return this.#view.getUint8(start);
    return size === 2 ? this.#view.getUint16(start) : this.#view.getUint32(start);
  }

  #skip(size: number): void {
    if (size > this.#bytes.length - this.#at) throw refused('a whole value; the message ends in the middle of it');
    this.#at += size;
  }

  /** An item takes a byte at least, so a length that cannot be true is known at once. */
  #open(items: number, isMap: 0 | 1): void {
    if (items > this.#bytes.length - this.#at) throw refused('a whole value; the message ends in the middle of it');
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) throw refused(`at most ${MAX_DEPTH} levels; more came`);
    this.#left[this.#depth] = items;
    this.#isMap[this.#depth] = isMap;
  }

  #text(length: number, isKey: boolean): void {
    let at = this.#at;
    this.#skip(length);
    if (isKey && length === PROTO.length && PROTO.equals(this.#bytes.subarray(at, this.#at))) {
      throw refused('no key "__proto__"; one came');
    }
    while (at < this.#at && (this.#bytes[at] ?? 0) < 0x80) at += 1;
    if (at < this.#at && !isUtf8(this.#bytes.subarray(at, this.#at))) throw refused('strings in UTF-8; one is not');
  }
}

function refused(expected: string): SingletonError {
  return new SingletonError('ERR_SINGLETON_MALFORMED_MESSAGE', `Expected a value in MessagePack: ${expected}.`);
}
