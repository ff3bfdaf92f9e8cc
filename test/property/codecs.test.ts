import { isUtf8 } from 'node:buffer';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { unpack } from 'msgpackr/pack';
import { describe, expect, test } from 'vitest';
import { json } from '../../src/codecs/json.ts';
import { lengthPrefixed } from '../../src/codecs/length-prefixed.ts';
import { scan } from '../../src/codecs/msgpack-decode.ts';
import { encode } from '../../src/codecs/msgpack-encode.ts';
import { msgpack } from '../../src/codecs/msgpack.ts';
import { assertSerializable } from '../../src/codecs/serializable.ts';
import type { Codec } from '../../src/interface/codec.ts';
import { SingletonError } from '../../src/interface/errors.ts';
import { deliver } from '../helpers/deliver.ts';
import { anyValues, jsonBytes, jsonValues, msgpackBytes, msgpackValues } from './arbitraries.ts';

/** A value that arrived, or nothing if it was refused. */
type Arrived = readonly [] | readonly [unknown];

/** The value that a host decodes from bytes. A refusal is always a SingletonError. */
async function decode(bytes: Uint8Array, to: Codec<unknown>): Promise<Arrived> {
  const from = lengthPrefixed<Uint8Array>({ name: to.name, serialize: (args) => args, deserialize: (args) => args });
  try {
    return [await deliver(bytes, from, to)];
  } catch (error) {
    expect(error).toBeInstanceOf(SingletonError);
    expect(error).toMatchObject({ code: 'ERR_SINGLETON_MALFORMED_MESSAGE' });
    return [];
  }
}

describe('json()', () => {
  test('delivers any JSON value unchanged', async () => {
    await fc.assert(
      fc.asyncProperty(jsonValues(), async (value) => {
        expectSame(await deliver(value, json(), json()), value);
      }),
      { numRuns: 300 },
    );
  });

  test('decodes any bytes as JSON.parse does, or refuses them', async () => {
    await fc.assert(
      fc.asyncProperty(jsonBytes(), async (bytes) => {
        expectSame(await decode(bytes, json()), naiveJson(bytes));
      }),
      { numRuns: 700, examples: [[Buffer.from('{"__proto__":1}')], [Buffer.from('{"\\u005f_proto__":1}')]] },
    );
  });
});

describe('msgpack()', () => {
  test('delivers any MessagePack value unchanged', async () => {
    await fc.assert(
      fc.asyncProperty(msgpackValues(), async (value) => {
        expectSame(await deliver(value, msgpack(), msgpack()), value);
      }),
      { numRuns: 300 },
    );
  });

  test('encodes any value so that a naive decoder and msgpackr decode it unchanged', () => {
    fc.assert(
      fc.property(msgpackValues(), (value) => {
        const bytes = Uint8Array.from(encode(value));
        expectSame(naiveMsgpack(bytes), [value]);
        expectSame(unpack(bytes), value);
      }),
      { numRuns: 1000 },
    );
  });

  test('refuses the same values as assertSerializable, with the same message', () => {
    fc.assert(
      fc.property(anyValues(), (value) => {
        const refusal = refusalOf(() => assertSerializable(value, 'MessagePack', isScalar));
        expect(refusalOf(() => encode(value))).toBe(refusal);
      }),
      { numRuns: 2000 },
    );
  });

  test('decodes any bytes as a naive decoder does, or refuses them', async () => {
    let decoded = 0;
    await fc.assert(
      fc.asyncProperty(msgpackBytes(), async (bytes) => {
        const arrived = await decode(bytes, msgpack());
        decoded += arrived.length;
        expectSame(arrived, naiveMsgpack(bytes));
      }),
      { numRuns: 1000 },
    );
    expect(decoded).toBeGreaterThan(100);
  });

  test('scans a message that is truncated at any byte as a naive decoder does', () => {
    fc.assert(
      fc.property(msgpackBytes(), (bytes) => {
        for (let end = 0; end <= bytes.length; end += 1) {
          const part = bytes.subarray(0, end);
          expect(passes(part)).toBe(naiveMsgpack(part).length === 1);
        }
      }),
      { numRuns: 500 },
    );
  });
});

/** The message of the error that the call throws, if it throws. */
function refusalOf(call: () => unknown): string | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(SingletonError);
    return error instanceof Error ? error.message : '';
  }
}

/** Whether MessagePack has a form for the value. Lists and maps are not included. */
function isScalar(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed();
  if (typeof value === 'bigint') return value >= -(2n ** 63n) && value < 2n ** 64n;
  return value === null || value instanceof Uint8Array || ['number', 'boolean'].includes(typeof value);
}

/** Not `toStrictEqual`, which takes a key "constructor" for a class. */
function expectSame(arrived: unknown, expected: unknown): void {
  expect(arrived).toSatisfy((value: unknown) => isDeepStrictEqual(value, expected));
}

function passes(bytes: Uint8Array): boolean {
  try {
    scan(bytes);
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(SingletonError);
    return false;
  }
}

/** The result of JSON.parse, or nothing if a key is "__proto__". */
function naiveJson(bytes: Uint8Array): Arrived {
  if (!isUtf8(bytes)) return [];
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString());
    return hasProto(value) ? [] : [value];
  } catch {
    return [];
  }
}

function hasProto(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return Object.hasOwn(value, '__proto__') || Object.values(value).some(hasProto);
}

/** A second decoder, recursive and without limits, for small messages. */
function naiveMsgpack(bytes: Uint8Array): Arrived {
  try {
    const reader = new Reader(bytes);
    const value = reader.item();
    return reader.isAtEnd ? [value] : [];
  } catch {
    return [];
  }
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes);
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  item(): unknown {
    const type = this.#take(1).readUInt8();
    if (type < 0x80) return type;
    if (type < 0x90) return this.#map(type - 0x80);
    if (type < 0xa0) return this.#list(type - 0x90);
    if (type < 0xc0) return this.#text(type - 0xa0);
    if (type >= 0xe0) return type - 0x100;
    const read = this.#readers[type];
    if (!read) throw new RangeError('no such type');
    return read();
  }

  readonly #readers: Readonly<Record<number, () => unknown>> = {
    0xc0: () => null,
    0xc2: () => false,
    0xc3: () => true,
    0xc4: () => Uint8Array.from(this.#take(this.#length(1))),
    0xc5: () => Uint8Array.from(this.#take(this.#length(2))),
    0xc6: () => Uint8Array.from(this.#take(this.#length(4))),
    0xca: () => this.#take(4).readFloatBE(),
    0xcb: () => this.#take(8).readDoubleBE(),
    0xcc: () => this.#length(1),
    0xcd: () => this.#length(2),
    0xce: () => this.#length(4),
    0xcf: () => this.#take(8).readBigUInt64BE(),
    0xd0: () => this.#take(1).readInt8(),
    0xd1: () => this.#take(2).readInt16BE(),
    0xd2: () => this.#take(4).readInt32BE(),
    0xd3: () => this.#take(8).readBigInt64BE(),
    0xd9: () => this.#text(this.#length(1)),
    0xda: () => this.#text(this.#length(2)),
    0xdb: () => this.#text(this.#length(4)),
    0xdc: () => this.#list(this.#length(2)),
    0xdd: () => this.#list(this.#length(4)),
    0xde: () => this.#map(this.#length(2)),
    0xdf: () => this.#map(this.#length(4)),
  };

  #take(size: number): Buffer {
    if (size > this.#bytes.length - this.#at) throw new RangeError('cut off');
    return this.#bytes.subarray(this.#at, (this.#at += size));
  }

  #length(size: number): number {
    return this.#take(size).readUIntBE(0, size);
  }

  #text(length: number): string {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.#take(length));
  }

  #list(length: number): unknown[] {
    const list: unknown[] = [];
    while (list.length < length) list.push(this.item());
    return list;
  }

  #map(length: number): unknown {
    const map: Record<string, unknown> = {};
    for (let index = 0; index < length; index += 1) {
      const key = this.item();
      if (typeof key !== 'string' || key === '__proto__') throw new RangeError('no such key');
      map[key] = this.item();
    }
    return map;
  }
}
