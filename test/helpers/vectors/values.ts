import { hex } from './messages.ts';

/** A value in bytes. `decoded` has one property that says how the value is written. */
export interface ValueVector {
  readonly name: string;
  readonly codec: 'json' | 'msgpack';
  /** Parts, one after the other, each so many times. */
  readonly parts: readonly { readonly hex: string; readonly times: number }[];
  readonly decoded: DecodedValue | null;
  /** `refuse`: a host sends refusal 3, a client fails. */
  readonly reaction: 'accept' | 'refuse';
  /** Whether this library writes the value in these bytes. */
  readonly written: boolean;
}

/** `json`: the value itself. The others have no form in JSON. `count`: a list of so many equal items. */
export type DecodedValue =
  | { readonly json: unknown }
  | { readonly bigint: string }
  | { readonly number: 'NaN' | 'Infinity' | '-Infinity' }
  | { readonly bytes: string }
  | { readonly depth: number }
  | { readonly count: number; readonly item: unknown };

type Part = readonly [bytes: Buffer | string, times: number];

export function valueVectors(): readonly ValueVector[] {
  return [...jsonValues(), ...msgpackValues()];
}

const MAX_DEPTH = 32;
const MAX_VALUES = 65_536;

function jsonValues(): readonly ValueVector[] {
  const written = (value: unknown): ValueVector =>
    make('json', JSON.stringify(value), [[Buffer.from(JSON.stringify(value)), 1]], { json: value }, true);
  const read = (name: string, text: string | Buffer, decoded: DecodedValue | null): ValueVector =>
    make('json', name, [[Buffer.from(text), 1]], decoded, false);
  return [
    ...[null, true, 0, -1, 1.5, 1e21, '', 'größe', [], {}, ['a', 1, null], { file: 'a.txt', line: 3 }].map(written),
    read('white space', ' { "a" : [ 1 , 2 ] } ', { json: { a: [1, 2] } }),
    read('a key twice: the last one counts', '{"a":1,"a":2}', { json: { a: 2 } }),
    read('an escaped surrogate pair', '"\\ud83d\\ude00"', { json: '😀' }),
    read('a number that is too large for f64', '1e999', { number: 'Infinity' }),
    read('a number that f64 rounds', '9007199254740993', { json: 9_007_199_254_740_992 }),
    make(
      'json',
      '32 levels',
      [
        ['[', MAX_DEPTH],
        [']', MAX_DEPTH],
      ],
      { depth: MAX_DEPTH },
      true,
    ),
    make(
      'json',
      '33 levels',
      [
        ['[', MAX_DEPTH + 1],
        [']', MAX_DEPTH + 1],
      ],
      null,
      false,
    ),
    make(
      'json',
      '65,536 values',
      [
        ['[', 1],
        ['1,', MAX_VALUES - 2],
        ['1]', 1],
      ],
      { count: MAX_VALUES - 1, item: 1 },
      true,
    ),
    make(
      'json',
      '65,537 values',
      [
        ['[', 1],
        ['1,', MAX_VALUES - 1],
        ['1]', 1],
      ],
      null,
      false,
    ),
    make(
      'json',
      '65,537 values, all but one of the same key',
      [
        ['{', 1],
        ['"a":1,', MAX_VALUES - 1],
        ['"a":1}', 1],
      ],
      null,
      false,
    ),
    read('nothing', '', null),
    read('an incomplete object', '{', null),
    read('two values', '1 2', null),
    read('a byte order mark', '\u{feff}1', null),
    read('text that is not UTF-8', Buffer.from('22ff22', 'hex'), null),
    read('the key __proto__', '{"__proto__":1}', null),
    read('the key __proto__ with an escape', '{"__\\u0070roto__":1}', null),
    read('NaN', 'NaN', null),
  ];
}

function msgpackValues(): readonly ValueVector[] {
  const written = (name: string, bytes: string, decoded: DecodedValue): ValueVector =>
    make('msgpack', name, [[Buffer.from(bytes, 'hex'), 1]], decoded, true);
  const read = (name: string, bytes: string, decoded: DecodedValue | null): ValueVector =>
    make('msgpack', name, [[Buffer.from(bytes, 'hex'), 1]], decoded, false);
  return [
    written('nil', 'c0', { json: null }),
    written('false', 'c2', { json: false }),
    written('true', 'c3', { json: true }),
    written('0', '00', { json: 0 }),
    written('127', '7f', { json: 127 }),
    written('128: uint 8', 'cc80', { json: 128 }),
    written('255: uint 8', 'ccff', { json: 255 }),
    written('256: uint 16', 'cd0100', { json: 256 }),
    written('65,536: uint 32', 'ce00010000', { json: 65_536 }),
    written('4,294,967,295: uint 32', 'ceffffffff', { json: 4_294_967_295 }),
    written('4,294,967,296: float 64', 'cb41f0000000000000', { json: 4_294_967_296 }),
    written('-1', 'ff', { json: -1 }),
    written('-32', 'e0', { json: -32 }),
    written('-33: int 8', 'd0df', { json: -33 }),
    written('-129: int 16', 'd1ff7f', { json: -129 }),
    written('-32,769: int 32', 'd2ffff7fff', { json: -32_769 }),
    written('-2,147,483,648: int 32', 'd280000000', { json: -2_147_483_648 }),
    written('-2,147,483,649: float 64', 'cbc1e0000000200000', { json: -2_147_483_649 }),
    written('1.5: float 64', 'cb3ff8000000000000', { json: 1.5 }),
    written('NaN', 'cb7ff8000000000000', { number: 'NaN' }),
    written('Infinity', 'cb7ff0000000000000', { number: 'Infinity' }),
    written('-Infinity', 'cbfff0000000000000', { number: '-Infinity' }),
    written('the bigint 1: int 64', 'd30000000000000001', { bigint: '1' }),
    written('the bigint -1: int 64', 'd3ffffffffffffffff', { bigint: '-1' }),
    written('the bigint of 2 to the power of 63: uint 64', 'cf8000000000000000', { bigint: '9223372036854775808' }),
    written('the text ""', 'a0', { json: '' }),
    written('the text "größe"', 'a76772c3b6c39f65', { json: 'größe' }),
    written('a text of 32 bytes: str 8', `d920${'61'.repeat(32)}`, { json: 'a'.repeat(32) }),
    written('binary: bin 8', 'c40200ff', { bytes: '00ff' }),
    written('an empty array', '90', { json: [] }),
    written('an array', '93a16101c0', { json: ['a', 1, null] }),
    written('an empty map', '80', { json: {} }),
    written('a map', '82a466696c65a5612e747874a46c696e6503', { json: { file: 'a.txt', line: 3 } }),
    read('1 as uint 8: a number', 'cc01', { json: 1 }),
    read('1 as uint 16: a number', 'cd0001', { json: 1 }),
    read('1 as uint 32: a number', 'ce00000001', { json: 1 }),
    read('1 as int 32: a number', 'd200000001', { json: 1 }),
    read('1 as uint 64: a bigint', 'cf0000000000000001', { bigint: '1' }),
    read('1 as float 32: a number', 'ca3f800000', { json: 1 }),
    read('1 as float 64: a number', 'cb3ff0000000000000', { json: 1 }),
    read('a short text as str 32', 'db0000000161', { json: 'a' }),
    read('a short array as array 32', 'dd0000000101', { json: [1] }),
    read('a key twice: the last one counts', '82a16101a16102', { json: { a: 2 } }),
    make(
      'msgpack',
      '32 levels',
      [
        [Buffer.of(0x91), MAX_DEPTH - 1],
        [Buffer.of(0x90), 1],
      ],
      { depth: MAX_DEPTH },
      true,
    ),
    make(
      'msgpack',
      '33 levels',
      [
        [Buffer.of(0x91), MAX_DEPTH],
        [Buffer.of(0x90), 1],
      ],
      null,
      false,
    ),
    make(
      'msgpack',
      '65,536 values',
      [
        [Buffer.from('dcffff', 'hex'), 1],
        [Buffer.of(1), MAX_VALUES - 1],
      ],
      { count: MAX_VALUES - 1, item: 1 },
      true,
    ),
    make(
      'msgpack',
      '65,537 values',
      [
        [Buffer.from('dd00010000', 'hex'), 1],
        [Buffer.of(1), MAX_VALUES],
      ],
      null,
      false,
    ),
    make(
      'msgpack',
      '65,537 values, all but one of the same key',
      [
        [Buffer.from('df00010000', 'hex'), 1],
        [Buffer.from('a16101', 'hex'), MAX_VALUES],
      ],
      null,
      false,
    ),
    read('nothing', '', null),
    read('an incomplete text', 'a261', null),
    read('a second value', '0101', null),
    read('a text that is not UTF-8', 'a1ff', null),
    read('an overlong character', 'a2c0af', null),
    read('a key that is no text', '810101', null),
    read('the key __proto__', '81a95f5f70726f746f5f5f01', null),
    read('an extension', 'd40000', null),
    read('a timestamp', 'd6ff00000000', null),
    read('the unused type c1', 'c1', null),
    read('a length that cannot be true', 'dfffffffff', null),
  ];
}

function make(
  codec: ValueVector['codec'],
  name: string,
  parts: readonly Part[],
  decoded: DecodedValue | null,
  written: boolean,
): ValueVector {
  return {
    name: `${codec}: ${name}`,
    codec,
    parts: parts.map(([bytes, times]) => ({ hex: hex(Buffer.from(bytes)), times })),
    decoded,
    reaction: decoded === null ? 'refuse' : 'accept',
    written,
  };
}
