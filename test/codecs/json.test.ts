import { createServer } from 'node:net';
import { inspect } from 'node:util';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { json } from '../../src/codecs/json.ts';
import { lengthPrefixed } from '../../src/codecs/length-prefixed.ts';
import { Singleton } from '../../src/index.ts';
import { MARKER } from '../helpers/codec-compliance.ts';
import { deliver } from '../helpers/deliver.ts';

const codec = json();
const raw = lengthPrefixed<Uint8Array>({ name: 'json', serialize: (bytes) => bytes, deserialize: (bytes) => bytes });
const MALFORMED = { name: 'SingletonError', code: 'ERR_SINGLETON_MALFORMED_MESSAGE' };
const UNENCODABLE = { name: 'SingletonError', code: 'ERR_SINGLETON_UNENCODABLE' };

/** What a host makes of bytes that no client of ours sends. */
function decode(bytes: string | Uint8Array): Promise<unknown> {
  return deliver(Buffer.from(bytes), raw, codec);
}

const nest = (depth: number, open: string, inner: string, close: string): string =>
  open.repeat(depth) + inner + close.repeat(depth);

const keys: unknown = JSON.parse(
  '{ "constructor": 1, "hasOwnProperty": 2, "toString": 3, "length": 4, "then": 5, "toJSON": 6, "": 7, "0": 8 }',
);

describe('json()', () => {
  it.each<[string, unknown]>([
    ['null', null],
    ['booleans', [true, false]],
    ['numbers', [0, 1, -1, 0.1, 1e21, 5e-324, Number.MAX_VALUE, Number.MAX_SAFE_INTEGER, 2 ** 53]],
    ['texts', ['', 'é😀', '\0\n"\\/', '\u2028', '\u{feff}', 'x'.repeat(70_000)]],
    ['lone surrogates', ['\ud800', { '\udc00': '\udc00\ud800' }]],
    ['empty containers', [[], {}, [[]], { a: {} }]],
    ['keys of every kind', keys],
    ['"__proto__" as a value, and keys that are nearly it', ['__proto__', { __proto_: 1, __proto___: '\\u005f' }]],
    ['a list that is nested', [[1, [2, [3, { a: [{ b: null }] }]]]]],
  ])('delivers %s unchanged', async (_, value) => {
    expect(await deliver(value, codec)).toStrictEqual(value);
  });

  it('leaves out properties that are undefined', async () => {
    expect(await deliver({ a: undefined, b: { c: undefined } }, codec)).toStrictEqual({ b: {} });
  });

  it('delivers an object without a prototype as one with a prototype', async () => {
    expect(await deliver(Object.assign(Object.create(null), keys), codec)).toStrictEqual(keys);
  });
});

describe('json(), for a value that JSON cannot represent,', () => {
  it.each<[string, unknown]>([
    ['NaN', NaN],
    ['Infinity', Infinity],
    ['-Infinity', -Infinity],
    ['of type bigint', 1n],
    ['of type undefined', undefined],
    ['of type symbol', Symbol('a')],
    ['of type function', () => 1],
    ['a Map', new Map([[1, 2]])],
    ['a Date', new Date(0)],
    ['a Uint8Array', new Uint8Array(1)],
  ])('refuses one that is %s, with its path', async (name, value) => {
    const message = `Cannot send this value: value.a[1] is ${name}, which JSON cannot represent.`;
    await expect(deliver({ a: [0, value] }, codec)).rejects.toMatchObject({ ...UNENCODABLE, message });
  });

  it('does not connect', async () => {
    let connections = 0;
    const server = createServer((socket) => {
      connections += 1;
      socket.destroy();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    await expect(Singleton.send({ port, codec, args: [NaN] })).rejects.toMatchObject(UNENCODABLE);
    await new Promise((resolve) => server.close(resolve));
    expect(connections).toBe(0);
  });
});

const lists = (depth: number): unknown => JSON.parse(nest(depth, '[', '0', ']'));
const values = (count: number): unknown => Array.from({ length: count - 1 }, () => ({}));

describe('json(), at its limits,', () => {
  it('encodes and decodes 32 levels and refuses 33', async () => {
    expect(await deliver(lists(32), codec)).toStrictEqual(lists(32));
    await expect(deliver(lists(33), codec)).rejects.toMatchObject(UNENCODABLE);
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', '}'],
    ] as const) {
      await decode(nest(32, open, '0', close));
      await decode(nest(31, open, '[]', close));
      await expect(decode(nest(33, open, '0', close))).rejects.toMatchObject(MALFORMED);
      await expect(decode(nest(32, open, '[]', close))).rejects.toMatchObject(MALFORMED);
    }
  });

  it('encodes and decodes 65,536 values and refuses one more', async () => {
    expect(await deliver(values(65_536), codec)).toStrictEqual(values(65_536));
    await expect(deliver(values(65_537), codec)).rejects.toMatchObject(UNENCODABLE);
    await decode(`[${Array(65_535).fill('0').join()}]`);
    await expect(decode(`[${Array(65_536).fill('0').join()}]`)).rejects.toMatchObject(MALFORMED);
    const properties = Array.from({ length: 65_536 }, (_, index) => `"${index}":{}`);
    await decode(`{${properties.slice(1).join()}}`);
    await expect(decode(`{${properties.join()}}`)).rejects.toMatchObject(MALFORMED);
  });

  it('does not count brackets and commas in strings', async () => {
    const texts = ['['.repeat(40), ','.repeat(70_000), '\\"[{'.repeat(40), '\\'];
    expect(await deliver(texts, codec)).toStrictEqual(texts);
  });
});

/** Each character as \u and four digits. */
function escaped(text: string): string {
  return text.replaceAll(/./g, (character) => `\\u00${character.charCodeAt(0).toString(16)}`);
}

const hostile: readonly (readonly [string, string | Uint8Array])[] = [
  ['nothing', ''],
  ['no JSON', 'marker-7d41'],
  ['two values', '{}{}'],
  ['something after a value', '[]]'],
  ['a comma too many', '[1,]'],
  ['NaN', '[NaN]'],
  ['a byte order mark', '\u{feff}[]'],
  ['a NUL', '[]\0'],
  ['a text with a line end', '["\n"]'],
  ['__proto__ as a key', '{"__proto__":{}}'],
  ['__proto__ as a key inside', '[{"a":{"b":1,"__proto__":{"c":1}}}]'],
  ['__proto__ with one escape', '{"_\\u005fproto__":{}}'],
  ['__proto__ in escapes', `[{"${escaped('__proto__')}":1}]`],
  ['__proto__ in escapes of upper case', '{"\\u005F\\u005F\\u0070roto__":1}'],
  ['a value that is not UTF-8', Buffer.from('["\u{ff}"]', 'latin1')],
  ['a key that is not UTF-8', Buffer.from('{"\u{c3}(":1}', 'latin1')],
  ['an encoded surrogate', Buffer.from('["\u{ed}\u{a0}\u{80}"]', 'latin1')],
  ['an overlong quote', Buffer.from('["\u{c0}\u{a2}"]', 'latin1')],
  ['UTF-16', Buffer.from('[1]', 'utf16le')],
  ['a text that does not end', `["${'\\"'.repeat(10_000)}`],
];

const oversized: readonly (readonly [string, string])[] = [
  ['lists 100,000 deep', nest(100_000, '[', '', ']')],
  ['lists 100,000 deep that do not end', '['.repeat(100_000)],
  ['objects 100,000 deep', nest(100_000, '{"a":', '1', '}')],
  ['a million commas', ','.repeat(1_000_000)],
];

describe('json(), when it decodes hostile bytes,', () => {
  it.each(hostile)('refuses %s', async (_, bytes) => {
    await expect(decode(bytes)).rejects.toMatchObject(MALFORMED);
  });

  it.each(oversized)('refuses %s before it parses the message', async (_, bytes) => {
    const parse = vi.spyOn(JSON, 'parse');
    onTestFinished(() => parse.mockRestore());
    await expect(decode(bytes)).rejects.toMatchObject(MALFORMED);
    expect(parse).not.toHaveBeenCalled();
  });

  it('refuses a message that is truncated at any byte', async () => {
    const message = Buffer.from('{"a":[1,-2.5e3,"\\u00e9é\\""],"b":{"c":null,"d":[true,false,[]]}}');
    await decode(message);
    for (const at of message.keys()) await expect(decode(message.subarray(0, at))).rejects.toMatchObject(MALFORMED);
  });

  it('throws an error without any byte of the message', async () => {
    const starts = [`["${MARKER}"`, `{"${MARKER}":1,"__proto__":2}`, `[${MARKER}]`, `["${MARKER}",${'['.repeat(40)}`];
    for (const start of starts) {
      const error = await decode(start).catch((reason: unknown) => reason);
      expect(error).toMatchObject(MALFORMED);
      expect(inspect(error)).not.toContain(MARKER);
    }
  });
});
