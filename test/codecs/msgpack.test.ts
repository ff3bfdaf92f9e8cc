import { inspect } from 'node:util';
import { Packr } from 'msgpackr/pack';
import { describe, expect, it } from 'vitest';
import { lengthPrefixed } from '../../src/codecs/length-prefixed.ts';
import { msgpack } from '../../src/codecs/msgpack.ts';
import { MARKER } from '../helpers/codec-compliance.ts';
import { deliver } from '../helpers/deliver.ts';

const codec = msgpack();
const raw = lengthPrefixed<Uint8Array>({ name: 'msgpack', serialize: (bytes) => bytes, deserialize: (bytes) => bytes });
const MALFORMED = { name: 'SingletonError', code: 'ERR_SINGLETON_MALFORMED_MESSAGE' };
const UNENCODABLE = { name: 'SingletonError', code: 'ERR_SINGLETON_UNENCODABLE' };

/** What a host makes of bytes that no client of ours sends. */
function decode(bytes: string | Uint8Array): Promise<unknown> {
  return deliver(typeof bytes === 'string' ? Buffer.from(bytes, 'hex') : bytes, raw, codec);
}

const keys: unknown = JSON.parse(
  '{ "constructor": 1, "hasOwnProperty": 2, "toString": 3, "length": 4, "then": 5, "": 6, "0": 7 }',
);

/** The longest text that msgpackr decodes with the byte order mark that it begins with, and one that is longer. */
const marked = ['\u{feff}'.padEnd(62, 'x'), '\u{feff}'.padEnd(63, 'x')];

describe('msgpack()', () => {
  it.each<[string, (text: string) => unknown]>([
    ['of a text', (text) => [text]],
    ['of a key', (text) => ({ [text]: 1 })],
  ])(
    'delivers a byte order mark %s up to the length that the decoder keeps, and refuses a longer one',
    async (_, make) => {
      const [short, long] = marked.map(make);
      expect(await deliver(short, codec)).toStrictEqual(short);
      await expect(deliver(long, codec)).rejects.toMatchObject(UNENCODABLE);
      await expect(decode(pack({ useRecords: false }, long))).rejects.toMatchObject(MALFORMED);
    },
  );

  it('sends a list that grows while it is read at its first length', async () => {
    const list: unknown[] = [{ a: 1 }, 2];
    Object.defineProperty(list[0], 'b', { enumerable: true, get: () => list.push('more') });
    expect(await deliver(list, codec)).toStrictEqual([{ a: 1, b: 3 }, 2]);
  });

  it('refuses a list that shrinks while it is read', async () => {
    const list: unknown[] = [{ a: 1 }, 2];
    Object.defineProperty(list[0], 'b', { enumerable: true, get: () => (list.length = 1) });
    await expect(deliver(list, codec)).rejects.toMatchObject(UNENCODABLE);
  });
});

describe('msgpack()', () => {
  it.each<[string, unknown]>([
    ['null', null],
    ['booleans', [true, false]],
    ['integers', [0, 1, -1, 127, 128, -32, -33, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, -(2 ** 31), 2 ** 53]],
    ['fractions', [0.1, 1.5, -1e300, 5e-324, Number.MAX_VALUE]],
    ['NaN and the infinities', [NaN, Infinity, -Infinity]],
    ['bigints of 64 bits', [0n, 1n, -1n, 2n ** 53n, -(2n ** 63n), 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n]],
    ['texts', ['', 'é😀', '\0\n"\\', '\u2028', '\u{feff}', 'x'.repeat(31), 'é'.repeat(300), 'x'.repeat(70_000)]],
    ['binaries', [new Uint8Array(0), Uint8Array.of(1, 2), new Uint8Array(300).fill(7), new Uint8Array(70_000)]],
    ['empty containers', [[], {}, [[]], { a: {} }]],
    ['keys of every kind', keys],
    ['a key "toJSON"', { toJSON: 1 }],
    ['long keys', Object.fromEntries(['x', 'é'].map((text) => [text.repeat(300), text]))],
    ['"__proto__" as a value, and keys that are nearly it', ['__proto__', { __proto_: 1, __proto___: 2 }]],
    ['lists of every header', [Array(15).fill(0), Array(16).fill(0), Array(65_000).fill(0)]],
    ['objects of every header', [15, 16, 300].map((size) => Object.fromEntries(Array(size).fill(0).entries()))],
  ])('delivers %s unchanged', async (_, value) => {
    expect(await deliver(value, codec)).toStrictEqual(value);
  });

  it('delivers a value unchanged with a secret', async () => {
    const secret = new Uint8Array(32).fill(1);
    const value = [Uint8Array.of(1), 2n, { a: 'é' }];
    expect(await deliver(value, codec, codec, secret)).toStrictEqual(value);
  });

  it('leaves out properties that are undefined', async () => {
    expect(await deliver({ a: undefined, b: { c: undefined } }, codec)).toStrictEqual({ b: {} });
  });

  it('delivers a Buffer or a part of one as a plain Uint8Array', async () => {
    const bytes = Buffer.from('0123');
    const arrived = await deliver([bytes, bytes.subarray(1, 3)], codec);
    expect(arrived).toStrictEqual([new Uint8Array(bytes), Uint8Array.of(0x31, 0x32)]);
  });

  it('delivers a binary as a copy with a buffer of its own', async () => {
    const arrived = await deliver([Uint8Array.of(1, 2, 3), 'secret'], codec);
    const [binary]: unknown[] = Array.isArray(arrived) ? arrived : [];
    expect(binary instanceof Uint8Array && binary.buffer.byteLength).toBe(3);
  });
});

describe('msgpack(), for a value that MessagePack cannot represent,', () => {
  it.each<[string, unknown]>([
    ['of type bigint', 2n ** 64n],
    ['of type bigint', -(2n ** 63n) - 1n],
    ['a string that would arrive changed', 'lone \ud800'],
    ['of type undefined', undefined],
    ['of type symbol', Symbol('a')],
    ['of type function', () => 1],
    ['a Map', new Map([[1, 2]])],
    ['a Set', new Set()],
    ['a Date', new Date(0)],
    ['a RegExp', /a/],
    ['a Error', new Error('a')],
    ['a Float32Array', new Float32Array(1)],
    ['a ArrayBuffer', new ArrayBuffer(1)],
  ])('refuses one that is %s, with its path', async (name, value) => {
    const message = `Cannot send this value: value.a[1] is ${name}, which MessagePack cannot represent.`;
    await expect(deliver({ a: [0, value] }, codec)).rejects.toMatchObject({ ...UNENCODABLE, message });
  });

  it('refuses a key with a lone surrogate with the path of its object', async () => {
    const message = expect.stringContaining('value[0].a has a key that the receiver rejects');
    await expect(deliver([{ a: { '\ud800': 1 } }], codec)).rejects.toMatchObject({ ...UNENCODABLE, message });
  });
});

const lists = (depth: number): unknown => (depth === 0 ? 0 : [lists(depth - 1)]);
const values = (count: number): unknown => Array.from({ length: count - 1 }, (_, index) => index);

describe('msgpack(), at its limits,', () => {
  it('encodes and decodes 32 levels and refuses 33', async () => {
    expect(await deliver(lists(32), codec)).toStrictEqual(lists(32));
    await expect(deliver(lists(33), codec)).rejects.toMatchObject(UNENCODABLE);
    await decode(`${'91'.repeat(32)}c0`);
    await expect(decode(`${'91'.repeat(33)}c0`)).rejects.toMatchObject(MALFORMED);
  });

  it('encodes and decodes 65,536 values and refuses one more', async () => {
    expect(await deliver(values(65_536), codec)).toStrictEqual(values(65_536));
    await expect(deliver(values(65_537), codec)).rejects.toMatchObject(UNENCODABLE);
    await decode(`dd0000ffff${'c0'.repeat(65_535)}`);
    await expect(decode(`dd00010000${'c0'.repeat(65_536)}`)).rejects.toMatchObject(MALFORMED);
  });
});

const pack = (options: object, value: unknown): Uint8Array => new Packr(options).pack(value);

describe('msgpack(), when it decodes hostile bytes,', () => {
  it.each<[string, string | Uint8Array]>([
    ['nothing', ''],
    ['the byte that is never used', '91c1'],
    ['an extension', 'd46901'],
    ['a Date', 'd6ff00000000'],
    ['a length without its bytes', 'ddffffffff'],
    ['two values', '0101'],
    ['a number as a key', '810101'],
    ['__proto__ as a key', '81a95f5f70726f746f5f5f80'],
    ['a text that is not UTF-8', '91a1ff'],
    ['lists 100,000 deep', '91'.repeat(100_000)],
    ['a record', pack({ useRecords: true }, { a: 1 })],
    ['a record with a name for a function', 'd4720191a1619301'],
    ['a RegExp', pack({ moreTypes: true }, [/a/])],
    ['a bigint of more than 64 bits', pack({ useBigIntExtension: true }, 2n ** 100n)],
    ['shared references', pack({ structuredClone: true }, sharedLists(25))],
  ])('refuses %s', async (_, bytes) => {
    await expect(decode(bytes)).rejects.toMatchObject(MALFORMED);
  });

  it('refuses a message that is truncated at any byte', async () => {
    const message = pack({ useRecords: false }, { a: [1, -2.5, 'é', 2n ** 60n, null], b: { c: new Uint8Array(3) } });
    await decode(message);
    for (const at of message.keys()) await expect(decode(message.subarray(0, at))).rejects.toMatchObject(MALFORMED);
  });

  it('throws an error without any byte of the message', async () => {
    const marker = Buffer.from(MARKER).toString('hex');
    for (const start of [`92ab${marker}c1`, `81ab${marker}`, `92ab${marker}81a95f5f70726f746f5f5f80`]) {
      const error = await decode(start).catch((reason: unknown) => reason);
      expect(error).toMatchObject(MALFORMED);
      expect(inspect(error)).not.toContain(MARKER);
    }
  });

  it('decodes the next message after one that was refused', async () => {
    for (const bytes of ['d4720191a161', '91', 'd46901', pack({ useRecords: true }, { a: 1 })]) {
      await expect(decode(bytes)).rejects.toMatchObject(MALFORMED);
      expect(await deliver({ a: [1, 'é'] }, codec)).toStrictEqual({ a: [1, 'é'] });
    }
    expect(await decode('92407f')).toStrictEqual([64, 127]);
  });
});

/** As many lists as levels, that refer to each other twice. */
function sharedLists(levels: number): unknown {
  let value: unknown = [];
  for (let level = 0; level < levels; level += 1) value = [value, value];
  return value;
}
