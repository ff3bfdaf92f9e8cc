import { inspect } from 'node:util';
import { Packr } from 'msgpackr/pack';
import { describe, expect, it } from 'vitest';
import { scan } from '../../src/codecs/msgpack-decode.ts';
import { codeOf, MARKER } from '../helpers/codec-compliance.ts';

const MALFORMED = 'ERR_SINGLETON_MALFORMED_MESSAGE';
const PROTO = hex(Buffer.from('__proto__'));

/** Each is one value. */
const one = `
  c0 c2 c3 00 7f e0 ff
  cc80 cd0100 ce00010000 cf0001000000000000 d080 d18000 d280000000 d38000000000000000 ca7fc00000 cb7ff0000000000000
  a0 a161 bf${'61'.repeat(31)} d900 d90161 da000161 db0000000161 a4f09f9880 a3efbfbf a9${PROTO}
  c400 c401ff c50001ff c600000001ff
  90 91c0 9f${'c0'.repeat(15)} dc0000 dc0001c0 dd00000001c0
  80 81a161c0 8f${'a161c0'.repeat(15)} de0000 de0001a161c0 df00000001a161c0
  81a0c0 81d90161c0 81da000161c0 81db0000000161c0 81a161a9${PROTO} 81a85f5f70726f746f5fc0
  9381a16191a1629080 82a16181a162c0a16380 81ab636f6e7374727563746f72c0`
  .trim()
  .split(/\s+/);

describe.each(one)('scan, for the value %s,', (text) => {
  const bytes = Buffer.from(text, 'hex');

  it('accepts it alone, at any offset in its buffer', () => {
    scan(bytes);
    scan(Buffer.concat([Buffer.of(0xc1), bytes, Buffer.of(0xc1)]).subarray(1, -1));
  });

  it('refuses it when it is truncated at any byte, and with anything after it', () => {
    for (const at of bytes.keys()) expect(codeOf(() => scan(bytes.subarray(0, at)))).toBe(MALFORMED);
    for (const more of [0xc0, 0xc1, 0x00, 0x90]) {
      expect(codeOf(() => scan(Buffer.concat([bytes, Buffer.of(more)])))).toBe(MALFORMED);
    }
  });

  it('accepts it as a value of a list and of a map', () => {
    for (const start of ['91', 'dc0001', '81a161', '9181a161']) scan(Buffer.from(start + text, 'hex'));
  });

  it('accepts it as a key only if it is a string other than "__proto__"', () => {
    const isKey = /^([ab].|d[9ab])/.test(text) && !text.includes(PROTO);
    expect(codeOf(() => scan(Buffer.from(`81${text}c0`, 'hex')))).toBe(isKey ? undefined : MALFORMED);
  });
});

const shared = shareReferences();

const extensions = [
  'c70169ff',
  'c8000169ff',
  'c90000000169ff',
  'd469ff',
  'd569ffff',
  `d669${'ff'.repeat(4)}`,
  `d7ff${'00'.repeat(8)}`,
  `d870${'ff'.repeat(16)}`,
];

const hostile: readonly (readonly [string, string | Uint8Array])[] = [
  ['nothing', ''],
  ['the byte that is never used', 'c1'],
  ['the byte that is never used, inside', '92c0c1'],
  ...extensions.map((bytes) => [`an extension, ${bytes}`, bytes] as const),
  ['an extension inside', '91d46900'],
  ['an extension as a key', '81d46900c0'],
  ['an empty extension', 'c70069'],
  ...['c4', 'c5', 'c6', 'd9', 'da', 'db', 'dc', 'dd', 'de', 'df', 'c9', 'bf', '9f', '8f'].flatMap((type) => [
    [`a length without its bytes, ${type}ffffffff`, `${type}ffffffff`] as const,
    [`a length without its bytes inside, ${type}ffffffff`, `92${type}ffffffffc0c0`] as const,
    [`a length without its bytes in a key, ${type}ffffffff`, `81${type}ffffffffc0`] as const,
  ]),
  ['a list in a list whose length is that of its parent', '92dd0000000391c0'],
  ...[`a9${PROTO}`, `d909${PROTO}`, `da0009${PROTO}`, `db00000009${PROTO}`].flatMap((key) => [
    [`__proto__ as a key, ${key}`, `81${key}80`] as const,
    [`__proto__ as the second key, ${key}`, `82a161c0${key}80`] as const,
    [`__proto__ as a key deep inside, ${key}`, `9181a161de0001${key}80`] as const,
  ]),
  ...['ff', '80', 'c3', 'c328', 'c080', 'eda080', 'f4908080', 'f09f98', '616161ff', 'fe'].flatMap((text) => [
    [`a value that is not UTF-8, ${text}`, (0xa0 + text.length / 2).toString(16) + text] as const,
    [`a key that is not UTF-8, ${text}`, `81${(0xa0 + text.length / 2).toString(16)}${text}c0`] as const,
  ]),
  ['a character that is cut by the end of its string', '92a1c3a1a9'],
  ['shared references', shared],
  ['a record of msgpackr', new Packr({ useRecords: true }).pack({ a: 1, b: 2 })],
  ['a Date of msgpackr', new Packr().pack([new Date(0)])],
  ['a Set of msgpackr', new Packr({ moreTypes: true }).pack(new Set([1]))],
  ['a RegExp of msgpackr', new Packr({ moreTypes: true }).pack(/a/)],
  ['an Error of msgpackr', new Packr({ moreTypes: true }).pack(new Error('a'))],
  ['lists 100,000 deep', '91'.repeat(100_000)],
  ['maps 100,000 deep', '81a161'.repeat(100_000)],
  ['lists 33 deep', `${'91'.repeat(33)}c0`],
  ['lists of a million values', Buffer.concat([Buffer.from('dd000f4240', 'hex'), Buffer.alloc(1_000_000)])],
];

describe('scan', () => {
  it.each(hostile)('refuses %s', (_, message) => {
    const bytes = typeof message === 'string' ? Buffer.from(message, 'hex') : message;
    expect(codeOf(() => scan(bytes))).toBe(MALFORMED);
  });
});

describe('the example of shared references', () => {
  it('has at most 486 bytes and contains a reference', () => {
    expect(shared.length).toBeLessThanOrEqual(486);
    expect(hex(shared)).toMatch(/d[4-8]69/);
  });
});

const list = (size: number): Uint8Array => Buffer.from(`dd${u32(size)}${'c0'.repeat(size)}`, 'hex');
const map = (size: number): Uint8Array => Buffer.from(`df${u32(size)}${'a161c0'.repeat(size)}`, 'hex');

describe('scan', () => {
  it('accepts lists and maps 32 deep and refuses them 33 deep', () => {
    for (const open of ['91', 'dc0001', 'dd00000001', '81a161', 'de0001a161']) {
      scan(Buffer.from(`${open.repeat(32)}c0`, 'hex'));
      for (const inner of ['c0', '90', '80']) {
        expect(codeOf(() => scan(Buffer.from(open.repeat(33) + inner, 'hex')))).toBe(MALFORMED);
      }
    }
  });

  it('counts open levels only: it accepts 100 lists of 31 levels in a row', () => {
    scan(Buffer.from(`dc0064${`${'91'.repeat(31)}c0`.repeat(100)}`, 'hex'));
    scan(Buffer.from(`dc0064${`${'91'.repeat(30)}90`.repeat(100)}`, 'hex'));
  });

  it('accepts 65,536 values, keys not counted, and refuses one more', () => {
    for (const make of [list, map]) {
      scan(make(65_535));
      expect(codeOf(() => scan(make(65_536)))).toBe(MALFORMED);
    }
  });

  it('throws an error without any byte of the message', () => {
    const marker = Buffer.from(MARKER);
    const text = Buffer.concat([Buffer.of(0xa0 + marker.length), marker]);
    const ends = ['c1', 'd46900', 'a1ff', 'dbffffffff', '8100c0', `81a9${PROTO}c0`, ''];
    for (const end of ends) {
      const bytes = Buffer.concat([Buffer.of(0x92), text, Buffer.from(end, 'hex')]);
      expect(codeOf(() => scan(bytes))).toBe(MALFORMED);
      expect(inspect(thrownBy(() => scan(bytes)))).not.toContain(MARKER);
    }
  });
});

const text = (size: number): Buffer => Buffer.concat([Buffer.from(`da${u16(size)}`, 'hex'), Buffer.alloc(size, 'é')]);

/** Strings of 1,000 bytes and of 20,000, and what is no text, in a list of 100,000 bytes. */
function longList(shift: number): Buffer {
  const others = [`c50100${'ff'.repeat(256)}`, 'cbfff8ffffffffffff'].map((bytes) => Buffer.from(bytes, 'hex'));
  const items = Array.from({ length: 20 }, () => [text(1000), text(20), ...others]).flat();
  const values = [...items, text(20_000), ...items, text(20_000), text(20_000), text(1000)];
  const start = `dd${u32(values.length + 1)}d9${u8(shift)}${'61'.repeat(shift)}`;
  return Buffer.concat([Buffer.from(start, 'hex'), ...values]);
}

describe('scan, for a message of many kilobytes,', () => {
  it('accepts strings, binaries and numbers wherever they are', () => {
    for (let shift = 0; shift < 200; shift += 1) scan(longList(shift));
  });

  it.each(['c3', 'a9', 'ff', '61'])('refuses the byte %s in place of another of any string', (byte) => {
    const bytes = longList(0);
    const wrong = Number.parseInt(byte, 16);
    for (let at = bytes.indexOf('é'); at !== -1; at = bytes.indexOf('é', at + 2 + (at % 7) * 2)) {
      for (const place of [at, at + 1]) {
        const right = bytes[place];
        bytes[place] = wrong;
        expect(codeOf(() => scan(bytes))).toBe(right === wrong ? undefined : MALFORMED);
        bytes[place] = right ?? 0;
      }
    }
  });
});

/** Objects that refer to each other, as msgpackr alone writes them. */
function shareReferences(): Uint8Array {
  let value: unknown = [];
  for (let level = 0; level < 25; level += 1) value = [value, value];
  return new Packr({ structuredClone: true }).pack(value);
}

function thrownBy(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    return error;
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function u8(value: number): string {
  return value.toString(16).padStart(2, '0');
}

function u16(value: number): string {
  return value.toString(16).padStart(4, '0');
}

function u32(value: number): string {
  return value.toString(16).padStart(8, '0');
}
