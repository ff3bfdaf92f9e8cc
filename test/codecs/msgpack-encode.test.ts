import { runInNewContext } from 'node:vm';
import { unpack } from 'msgpackr/pack';
import { describe, expect, it } from 'vitest';
import { scan } from '../../src/codecs/msgpack-decode.ts';
import { encode } from '../../src/codecs/msgpack-encode.ts';
import { SingletonError } from '../../src/interface/errors.ts';

/** What the decoder makes of it; of a Buffer it would make Buffers. */
function arrived(value: unknown): unknown {
  return unpack(Uint8Array.from(encode(value)));
}

/** The first bytes of what is written, and how many follow. */
function headOf(value: unknown, length: number): string {
  return Buffer.from(encode(value).subarray(0, length)).toString('hex');
}

describe('encode', () => {
  it.each<[number | bigint, string]>([
    [0, '00'],
    [-0, '00'],
    [0x7f, '7f'],
    [0x80, 'cc80'],
    [0xff, 'ccff'],
    [0x100, 'cd0100'],
    [0xffff, 'cdffff'],
    [0x10000, 'ce00010000'],
    [2 ** 31 - 1, 'ce7fffffff'],
    [2 ** 31, 'ce80000000'],
    [2 ** 32 - 1, 'ceffffffff'],
    [2 ** 32, 'cb41f0000000000000'],
    [Number.MAX_SAFE_INTEGER, 'cb433fffffffffffff'],
    [2 ** 53, 'cb4340000000000000'],
    [2 ** 64, 'cb43f0000000000000'],
    [-1, 'ff'],
    [-32, 'e0'],
    [-33, 'd0df'],
    [-128, 'd080'],
    [-129, 'd1ff7f'],
    [-0x8000, 'd18000'],
    [-0x8001, 'd2ffff7fff'],
    [-(2 ** 31), 'd280000000'],
    [-(2 ** 31) - 1, 'cbc1e0000000200000'],
    [Number.MIN_SAFE_INTEGER, 'cbc33fffffffffffff'],
    [0.5, 'cb3fe0000000000000'],
    [5e-324, 'cb0000000000000001'],
    [NaN, 'cb7ff8000000000000'],
    [Infinity, 'cb7ff0000000000000'],
    [-Infinity, 'cbfff0000000000000'],
    [0n, 'd30000000000000000'],
    [-1n, 'd3ffffffffffffffff'],
    [2n ** 63n - 1n, 'd37fffffffffffffff'],
    [2n ** 63n, 'cf8000000000000000'],
    [2n ** 64n - 1n, 'cfffffffffffffffff'],
    [-(2n ** 63n), 'd38000000000000000'],
  ])('writes the number %s in its smallest form', (value, expected) => {
    const bytes = encode(value);
    expect(Buffer.from(bytes).toString('hex')).toBe(expected);
    // A minus that zero had is lost.
    expect(arrived(value)).toBe(value === 0 ? 0 : value);
  });
});

const list = (size: number): unknown => Array.from({ length: size }, () => null);
const map = (size: number): unknown => Object.fromEntries(Array.from({ length: size }, (_, index) => [`k${index}`, 1]));
const text = (size: number): string => 'x'.repeat(size);
const binary = (size: number): Uint8Array => new Uint8Array(size).fill(7);

describe('encode', () => {
  it.each<[string, unknown, string]>([
    ['no text', '', 'a0'],
    ['31 bytes of text', text(31), 'bf78'],
    ['32', text(32), 'd92078'],
    ['63', text(63), 'd93f78'],
    ['64', text(64), 'd94078'],
    ['255', text(255), 'd9ff78'],
    ['256', text(256), 'da010078'],
    ['65,535', text(65_535), 'daffff78'],
    ['65,536', text(65_536), 'db0001000078'],
    ['31 bytes in 30 characters', `${text(29)}é`, 'bf78'],
    ['32 bytes in 31 characters', `${text(30)}é`, 'd92078'],
    ['32 bytes in 8 surrogate pairs', '😀'.repeat(8), 'd920f0'],
    ['255 bytes in 85 characters', '€'.repeat(85), 'd9ffe2'],
    ['256 bytes in 128 characters', 'é'.repeat(128), 'da0100c3'],
    ['65,535 bytes in 21,845 characters', '€'.repeat(21_845), 'daffffe2'],
    ['65,536 bytes in 32,768 characters', 'é'.repeat(32_768), 'db00010000c3'],
    ['no binary', binary(0), 'c400'],
    ['255 bytes of binary', binary(255), 'c4ff07'],
    ['256', binary(256), 'c5010007'],
    ['65,535', binary(65_535), 'c5ffff07'],
    ['65,536', binary(65_536), 'c60001000007'],
    ['no list', [], '90'],
    ['15 items', list(15), '9fc0'],
    ['16 items', list(16), 'dc0010c0'],
    ['255 items', list(255), 'dc00ffc0'],
    ['256 items', list(256), 'dc0100c0'],
    ['65,535 items', list(65_535), 'dcffffc0'],
    ['no map', {}, '80'],
    ['15 properties', map(15), '8fa26b30'],
    ['16 properties', map(16), 'de0010a26b30'],
    ['65,535 properties', map(65_535), 'deffffa26b30'],
    ['15 properties, and one that is undefined', Object.assign(map(15) ?? {}, { z: undefined }), '8fa26b30'],
    ['a key of 31 bytes', { [text(31)]: 1 }, '81bf78'],
    ['a key of 32', { [text(32)]: 1 }, '81d92078'],
    ['a key of 256', { [text(256)]: 1 }, '81da010078'],
  ])('writes a value of this length in its smallest form: %s', (_, value, expected) => {
    expect(headOf(value, expected.length / 2)).toBe(expected);
    scan(encode(value));
    // But for what is undefined, which this comparison does not see.
    expect(arrived(value)).toEqual(value);
  });
});

describe('encode', () => {
  it('returns the whole message wherever it outgrows its buffer', () => {
    for (let size = 900; size < 1030; size += 1) {
      for (const last of [1.5, 2n, 0x10000, -0x8001, text(70), 'é'.repeat(40), binary(10), text(40)]) {
        const value = [text(size), last, { a: [last] }];
        expect(arrived(value)).toEqual(value);
      }
    }
  });

  it('refuses an own key "__proto__" with the path of its object', () => {
    const evil: unknown = JSON.parse('[{ "a": { "__proto__": 1 } }]');
    expect(() => encode(evil)).toThrow('value[0].a has a key that the receiver rejects');
  });

  it('returns buffers that share no memory', () => {
    const [first, second] = [encode([text(40)]), encode([text(40)])];
    first.fill(0);
    expect(unpack(second)).toEqual([text(40)]);
  });
});

const valueOf = (index: number): unknown => [index, text((index * index * 31) % 50_000), { a: binary(index % 70) }];

describe('encode', () => {
  it('returns messages of any length that stay unchanged while more follow', () => {
    const messages = Array.from({ length: 300 }, (_, index) => encode(valueOf(index)));
    for (const [index, bytes] of messages.entries()) expect(unpack(Uint8Array.from(bytes))).toEqual(valueOf(index));
  });

  it('returns a message after one that it refused', () => {
    expect(() => encode([text(40), Symbol('a')])).toThrow(SingletonError);
    expect(arrived([text(40)])).toEqual([text(40)]);
  });
});

describe('encode, for a getter,', () => {
  it('calls it once', () => {
    let calls = 0;
    const value = {
      get a(): number {
        calls += 1;
        return calls;
      },
    };
    expect(arrived([value])).toEqual([{ a: 1 }]);
  });

  it('allows it to encode another value', () => {
    const value = {
      get a(): string {
        return Buffer.from(encode(text(300))).toString('hex', 0, 3);
      },
    };
    expect(arrived(['before', value, 'after'])).toEqual(['before', { a: 'da012c' }, 'after']);
  });

  it('throws its error', () => {
    const value = {
      get a(): never {
        throw new RangeError('boom');
      },
    };
    expect(() => encode(value)).toThrow(new RangeError('boom'));
  });

  it.each<[string, object]>([
    ['that returns something else the second time', changing(() => Symbol('a'))],
    ['that deletes another property', changing((object) => Reflect.deleteProperty(object, 'b'))],
  ])('refuses a getter %s', (_, value) => {
    expect(() => encode([value])).toThrow(SingletonError);
    expect(() => encode([value])).not.toThrow(TypeError);
  });
});

/** A value whose first property does something the first time that it is read. */
function changing(first: (object: object) => unknown): object {
  let isFirst = true;
  return {
    get a(): unknown {
      const result = isFirst ? first(this) : 1;
      isFirst = false;
      return result;
    },
    b: 2,
    c: 3,
  };
}

it('writes a Uint8Array of another realm as binary, and refuses an object that only claims to be one', () => {
  expect(headOf(runInNewContext('new Uint8Array([1, 2])'), 4)).toBe('c4020102');
  const pretender = Object.defineProperty(new Uint16Array(1), Symbol.toStringTag, { value: 'Uint8Array' });
  expect(() => encode(pretender)).toThrow('Uint16Array');
});

it.each(['length', 'byteLength', 'byteOffset'])('reads no other memory for a wrong "%s"', (key) => {
  const bytes = Object.defineProperty(Buffer.of(1, 2), key, { value: 100_000 });
  expect(headOf(bytes, 10)).toBe('c4020102');
});
