import { isUint8Array, tryBytes } from '../interface/bytes.ts';
import { SingletonError } from '../interface/errors.ts';
import {
  isPlainList,
  MAX_BYTES_WITH_BOM,
  MAX_DEPTH,
  MAX_NODES,
  assertSerializable,
  tryEntries,
} from './serializable.ts';

/**
 * Encodes a value as MessagePack, each part in its smallest form. The format:
 * https://github.com/msgpack/msgpack/blob/master/spec.md
 * @throws SingletonError `ERR_SINGLETON_UNENCODABLE`, with the path of the value that would not arrive as it was sent
 */
export function encode(value: unknown): Uint8Array {
  const encoder = new Encoder();
  if (encoder.tryWrite(value, 0)) return encoder.end();
  // The encoder does not track the path: a second walk finds it.
  assertSerializable(value, 'MessagePack', isScalar);
  throw new SingletonError(
    'ERR_SINGLETON_UNENCODABLE',
    'Cannot send this value: it changed while it was serialized. Send a value without getters that change it.',
  );
}

const MIN_INT64 = -(2n ** 63n);
const MAX_INT64 = 2n ** 63n - 1n;
const MAX_UINT64 = 2n ** 64n - 1n;

function isScalar(value: unknown): boolean {
  switch (typeof value) {
    case 'string':
      return value.isWellFormed() && !dropsBom(value);
    case 'number':
    case 'boolean':
      return true;
    case 'bigint':
      return value >= MIN_INT64 && value <= MAX_UINT64;
    default:
      return value === null || isUint8Array(value);
  }
}

/** Whether msgpackr would drop the byte order mark of this text when it decodes it. */
function dropsBom(text: string, size = Buffer.byteLength(text)): boolean {
  return size > MAX_BYTES_WITH_BOM && text.startsWith('\u{feff}');
}

const INITIAL_BYTES = 1024;
/** Growth at most, unless more is needed. */
const MAX_GROWTH_BYTES = 2 ** 26;
/** For shorter strings, the native write is slower than the loop here. */
const NATIVE_WRITE_THRESHOLD = 64;

const MIN_SHARED_BYTES = 2 ** 15;
const MAX_SHARED_BYTES = 2 ** 18;
const MAX_NEXT_BYTES = 2 ** 21;
const NOTHING = Buffer.alloc(0);
/** Messages share a buffer, one after the other: to allocate one for each takes half as long as to write it. */
const shared = { buffer: NOTHING, at: 0, nextBytes: INITIAL_BYTES };

/** Checks and writes in one pass. The `try…` methods return `false` for a value that cannot be sent. */
class Encoder {
  #buffer = shared.buffer;
  #start = shared.at;
  #at = shared.at;
  #nodes = 0;

  constructor() {
    // A getter may encode another value.
    shared.buffer = NOTHING;
    shared.at = 0;
  }

  end(): Uint8Array {
    const [buffer, size] = [this.#buffer, this.#at - this.#start];
    shared.nextBytes = Math.max(MIN_SHARED_BYTES, Math.min(4 * size, size + MAX_SHARED_BYTES, MAX_NEXT_BYTES));
    if (buffer.length <= MAX_SHARED_BYTES) {
      shared.buffer = buffer;
      shared.at = this.#at;
    }
    return buffer.subarray(this.#start, this.#at);
  }

  tryWrite(value: unknown, depth: number): boolean {
    if (++this.#nodes > MAX_NODES) return false;
    // The longest head and the longest number.
    this.#room(9);
    switch (typeof value) {
      case 'string':
        return this.#tryText(value);
      case 'number':
        return this.#number(value);
      case 'boolean':
        return this.#byte(value ? 0xc3 : 0xc2);
      case 'bigint':
        return this.#tryBigint(value);
      case 'object':
        return value === null ? this.#byte(0xc0) : this.#tryObject(value, depth);
      default:
        return false;
    }
  }

  #tryObject(value: object, depth: number): boolean {
    const bytes = tryBytes(value);
    if (bytes) return this.#binary(bytes);
    if (depth === MAX_DEPTH) return false;
    return Array.isArray(value) ? this.#tryList(value, depth + 1) : this.#tryMap(value, depth + 1);
  }

  #tryList(list: readonly unknown[], depth: number): boolean {
    if (!isPlainList(list)) return false;
    // A getter of an item may change the list; a missing item is `undefined`, which is rejected.
    const { length } = list;
    this.#head(length, 0x90, 0xdc);
    for (let index = 0; index < length; index += 1) if (!this.tryWrite(list[index], depth)) return false;
    return true;
  }

  #tryMap(object: object, depth: number): boolean {
    const entries = tryEntries(object);
    if (!entries) return false;
    const { keys, values } = entries;
    let size = keys.length;
    for (const value of values) if (value === undefined) size -= 1;
    this.#head(size, 0x80, 0xde);
    for (let index = 0; index < keys.length; index += 1) {
      const key = keys[index] ?? '';
      const value = values[index];
      if (key === '__proto__') return false;
      if (value !== undefined && !(this.#tryText(key) && this.tryWrite(value, depth))) return false;
    }
    return true;
  }

  #tryText(text: string): boolean {
    this.#room(2 + NATIVE_WRITE_THRESHOLD);
    if (text.length < NATIVE_WRITE_THRESHOLD && this.#tryAscii(text)) return true;
    const size = Buffer.byteLength(text);
    const isAscii = size === text.length;
    if (!isAscii && !(text.isWellFormed() && !dropsBom(text, size))) return false;
    this.#room(5 + size);
    if (size < 32) this.#byte(0xa0 + size);
    else this.#sized(0xd9, size);
    this.#at += this.#buffer.write(text, this.#at, isAscii ? 'latin1' : 'utf8');
    return true;
  }

  #tryAscii(text: string): boolean {
    const { length } = text;
    const buffer = this.#buffer;
    let at = this.#at;
    if (length < 32) buffer[at++] = 0xa0 + length;
    else {
      buffer[at++] = 0xd9;
      buffer[at++] = length;
    }
    for (let index = 0; index < length; index += 1) {
      const unit = text.charCodeAt(index);
      if (unit > 0x7f) return false;
      buffer[at++] = unit;
    }
    this.#at = at;
    return true;
  }

  #number(value: number): true {
    if (value >>> 0 === value) return value < 0x80 ? this.#byte(value) : this.#sized(0xcc, value);
    const type = this.#at;
    if (value >> 0 !== value) {
      this.#buffer[type] = 0xcb;
      this.#at = this.#buffer.writeDoubleBE(value, type + 1);
    } else if (value >= -0x20) {
      this.#at = this.#buffer.writeInt8(value, type);
    } else if (value >= -0x80) {
      this.#buffer[type] = 0xd0;
      this.#at = this.#buffer.writeInt8(value, type + 1);
    } else if (value >= -0x8000) {
      this.#buffer[type] = 0xd1;
      this.#at = this.#buffer.writeInt16BE(value, type + 1);
    } else {
      this.#buffer[type] = 0xd2;
      this.#at = this.#buffer.writeInt32BE(value, type + 1);
    }
    return true;
  }

  /** Always 8 bytes: msgpackr decodes fewer to a number. */
  #tryBigint(value: bigint): boolean {
    if (value < MIN_INT64 || value > MAX_UINT64) return false;
    this.#byte(value > MAX_INT64 ? 0xcf : 0xd3);
    this.#at = this.#buffer.writeBigUInt64BE(BigInt.asUintN(64, value), this.#at);
    return true;
  }

  #binary(bytes: Uint8Array): true {
    this.#room(5 + bytes.length);
    this.#sized(0xc4, bytes.length);
    this.#buffer.set(bytes, this.#at);
    this.#at += bytes.length;
    return true;
  }

  /** The head of a list or a map. More than 65,535 items exceed `MAX_NODES` and are rejected later. */
  #head(size: number, short: number, long: number): void {
    if (size < 16) this.#byte(short + size);
    else this.#typed16(long, size);
  }

  /** A number of 1, 2 or 4 bytes, after the type byte for its width. */
  #sized(type: number, value: number): true {
    if (value > 0xffff) {
      this.#byte(type + 2);
      this.#at = this.#buffer.writeUInt32BE(value, this.#at);
    } else if (value > 0xff) {
      this.#typed16(type + 1, value);
    } else {
      this.#byte(type);
      this.#byte(value);
    }
    return true;
  }

  #typed16(type: number, value: number): void {
    this.#byte(type);
    this.#byte(value >>> 8);
    this.#byte(value);
  }

  #byte(byte: number): true {
    this.#buffer[this.#at++] = byte;
    return true;
  }

  /** Grows in large steps: pages that are not written do not become resident memory. */
  #room(size: number): void {
    if (this.#at + size > this.#buffer.length) this.#grow(size);
  }

  #grow(size: number): void {
    const needed = this.#at - this.#start + size;
    const grown = Buffer.allocUnsafe(Math.max(shared.nextBytes, Math.min(4 * needed, needed + MAX_GROWTH_BYTES)));
    this.#at = this.#buffer.copy(grown, 0, this.#start, this.#at);
    this.#start = 0;
    this.#buffer = grown;
  }
}
