import { Packr } from 'msgpackr/pack';
import { race } from '../in-process.js';

const LIMITS = { maxMessageBytes: 2 ** 22 };
const SIZES = /** @type {const} */ ([
  ['20 B', 20],
  ['1 KiB', 2 ** 10],
  ['32 KiB', 2 ** 15],
  ['1 MiB', 2 ** 20],
]);

/**
 * How a value becomes bytes, and bytes the value.
 * @typedef {object} Format
 * @property {(value: any) => any} encode The bytes.
 * @property {(bytes: any) => unknown} decode
 */

/**
 * Encode and decode, with all checks, against the serializer in the same frames without checks. The limit of `msgpack()` is the
 * same serializer with the only call that shows that a list has no other properties.
 * @param {import('../internals.js').Internals} internals
 * @param {import('../measure.js').Budget} budget
 */
export async function codecs(internals, budget) {
  const packr = new Packr({ useRecords: false });
  const msgpackr = framed(internals, {
    serialize: (value) => packr.pack(value),
    deserialize: (bytes) => packr.unpack(bytes),
  });
  /** @type {readonly { name: string, against: string, valueOf: (bytes: number) => unknown, ours: Format, theirs: Format }[]} */
  const kinds = [
    {
      name: 'legacy()',
      against: "split('\\0')",
      valueOf: argumentsOf,
      ours: legacyFormat(internals),
      theirs: {
        encode: (args) => Buffer.from(`${args.join('\0')}\0`),
        decode: (bytes) => bytes.toString().split('\0'),
      },
    },
    {
      name: 'json()',
      against: 'JSON in the same frames',
      valueOf: documentOf,
      ours: framed(internals, internals.json),
      theirs: framed(internals, {
        serialize: (value) => Buffer.from(JSON.stringify(value)),
        deserialize: ({ buffer, byteOffset, length }) => JSON.parse(Buffer.from(buffer, byteOffset, length).toString()),
      }),
    },
    {
      name: 'msgpack()',
      against: 'msgpackr in the same frames',
      valueOf: documentOf,
      ours: framed(internals, internals.msgpack),
      theirs: msgpackr,
    },
  ];
  const pairs = kinds.flatMap(({ name, against, valueOf, ours, theirs }) =>
    SIZES.map(([size, bytes]) => {
      const value = valueOf(bytes);
      return {
        name: `${name}, ${size}`,
        against,
        amount: theirs.encode(value).length / 1e6,
        unit: 'MB/s',
        ours: () => ours.decode(ours.encode(value)),
        theirs: () => theirs.decode(theirs.encode(value)),
      };
    }),
  );
  const limits = SIZES.map(([size, bytes]) => {
    const value = documentOf(bytes);
    const lists = listsOf(value);
    return {
      name: `msgpack(), ${size}, of which lists are checked`,
      against: 'msgpackr in the same frames',
      amount: msgpackr.encode(value).length / 1e6,
      unit: 'MB/s',
      ours: () => {
        for (const list of lists) Reflect.ownKeys(list);
        return msgpackr.decode(msgpackr.encode(value));
      },
      theirs: () => msgpackr.decode(msgpackr.encode(value)),
    };
  });
  const seconds = budget.seconds / (kinds.length + 1);
  return [
    ...(await race('codec', pairs, { ...budget, seconds: kinds.length * seconds })),
    ...(await race('limit', limits, { ...budget, seconds })),
  ];
}

/** @param {unknown} value @returns {readonly object[]} */
function listsOf(value) {
  if (typeof value !== 'object' || value === null) return [];
  const inner = Object.values(value).flatMap(listsOf);
  return Array.isArray(value) ? [value, ...inner] : inner;
}

/** @param {import('../internals.js').Internals} internals @returns {Format} */
function legacyFormat({ encodeLegacy, LegacyDecoder }) {
  return {
    encode: encodeLegacy,
    decode: (bytes) => {
      const decoder = new LegacyDecoder(LIMITS);
      decoder.push(bytes);
      return decoder.end();
    },
  };
}

/**
 * @param {import('../internals.js').Internals} internals
 * @param {import('../../dist/codecs/length-prefixed.js').Serializer<unknown>} serializer
 * @returns {Format}
 */
function framed({ frames, encodeLaunch, decodeLaunch }, serializer) {
  return {
    encode: (value) => frames.encode(encodeLaunch({ args: serializer.serialize(value) })),
    decode: (bytes) => {
      const decoder = frames.createDecoder(LIMITS);
      for (const frame of decoder.push(bytes)) return serializer.deserialize(decodeLaunch(frame).args);
      throw new Error('Expected a frame.');
    },
  };
}

/** Paths, as a file manager sends them. @param {number} bytes */
function argumentsOf(bytes) {
  if (bytes < 64) return ['a.txt', '--line', '3'];
  return Array.from({ length: bytes / 64 }, (_, index) =>
    `/home/user/documents/a report of the year ${index}`.padEnd(63, '.'),
  );
}

/** Documents of about half a kilobyte each. @param {number} bytes */
function documentOf(bytes) {
  if (bytes < 64) return { file: 'a.txt', line: 3 };
  return Array.from({ length: bytes / 512 }, (_, index) => ({
    file: `/home/user/documents/a report of the year ${index}.txt`,
    line: index,
    isNew: index % 2 === 0,
    tags: ['report', 'year'],
    text: 'It was a bright cold day in April, and the clocks were striking thirteen. '.repeat(5),
  }));
}
