import { Packr } from 'msgpackr/pack';
import { race } from './in-process.js';

const LIMITS = { maxMessageBytes: 2 ** 22 };
const CHUNK = 1024;
const SIZES = /** @type {const} */ ([
  ['20 B', 20],
  ['1 KiB', 2 ** 10],
  ['32 KiB', 2 ** 15],
  ['1 MiB', 2 ** 20],
]);

/**
 * How a value becomes bytes, and chunks of bytes the value.
 * @typedef {object} Format
 * @property {(value: any) => Uint8Array} encode
 * @property {(chunks: readonly Uint8Array[]) => unknown} decode
 */

/**
 * Encode and decode, with all checks, against the serializer in the same frames without checks.
 * @param {import('./internals.js').Internals} internals
 * @param {import('./rounds.js').Budget} budget
 */
export async function codecs(internals, budget) {
  const packr = new Packr({ useRecords: false });
  const kinds = [
    {
      name: 'legacy',
      against: "split('\\0')",
      valueOf: argumentsOf,
      ours: legacyFormat(internals),
      theirs: bare(
        (/** @type {string[]} */ args) => Buffer.from(`${args.join('\0')}\0`),
        (bytes) => bytes.toString().split('\0'),
      ),
    },
    {
      name: 'json',
      against: 'JSON in the same frames',
      valueOf: documentOf,
      ours: framed(internals, internals.json),
      theirs: framed(internals, {
        serialize: (value) => Buffer.from(JSON.stringify(value)),
        deserialize: ({ buffer, byteOffset, length }) => JSON.parse(Buffer.from(buffer, byteOffset, length).toString()),
      }),
    },
    {
      name: 'msgpack',
      against: 'msgpackr in the same frames',
      valueOf: documentOf,
      ours: framed(internals, internals.msgpack),
      theirs: framed(internals, {
        serialize: (value) => packr.pack(value),
        deserialize: (bytes) => packr.unpack(bytes),
      }),
    },
  ];
  const pairs = kinds.flatMap(({ name, against, valueOf, ours, theirs }) =>
    SIZES.flatMap(([size, bytes]) => {
      const value = valueOf(bytes);
      const pair = (/** @type {string} */ how, /** @type {number} */ chunk) => ({
        name: `${name}, ${size}${how}`,
        against,
        amount: theirs.encode(value).length / 1e6,
        unit: 'MB/s',
        ours: () => ours.decode(cut(ours.encode(value), chunk)),
        theirs: () => theirs.decode(cut(theirs.encode(value), chunk)),
      });
      return bytes > CHUNK ? [pair('', Infinity), pair(' in chunks', CHUNK)] : [pair('', Infinity)];
    }),
  );
  return race('codec', pairs, budget);
}

/** @param {import('./internals.js').Internals} internals @returns {Format} */
function legacyFormat({ encodeLegacy, LegacyDecoder }) {
  return {
    encode: encodeLegacy,
    decode: (chunks) => {
      const decoder = new LegacyDecoder(LIMITS);
      for (const chunk of chunks) decoder.push(chunk);
      return decoder.end();
    },
  };
}

/**
 * @param {import('./internals.js').Internals} internals
 * @param {import('../dist/codecs/length-prefixed.js').Serializer<unknown>} serializer
 * @returns {Format}
 */
export function framed({ frames, encodeLaunch, decodeLaunch }, serializer) {
  return {
    encode: (value) => frames.encode(encodeLaunch({ args: serializer.serialize(value) })),
    decode: (chunks) => {
      const decoder = frames.createDecoder(LIMITS);
      for (const chunk of chunks)
        for (const frame of decoder.push(chunk)) return serializer.deserialize(decodeLaunch(frame).args);
      throw new Error('Expected a frame.');
    },
  };
}

/**
 * @param {(value: any) => Buffer} encode
 * @param {(bytes: Buffer) => unknown} decode
 * @returns {Format}
 */
export function bare(encode, decode) {
  return { encode, decode: (chunks) => decode(whole(chunks)) };
}

/** @param {readonly Uint8Array[]} chunks */
function whole(chunks) {
  return chunks.length === 1 && Buffer.isBuffer(chunks[0]) ? chunks[0] : Buffer.concat(chunks);
}

/** @param {Uint8Array} bytes @param {number} size */
export function cut(bytes, size) {
  const chunks = [];
  for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
  return chunks;
}

/** Paths, as a file manager sends them. @param {number} bytes */
function argumentsOf(bytes) {
  if (bytes < 64) return ['a.txt', '--line', '3'];
  return Array.from({ length: bytes / 64 }, (_, index) =>
    `/home/user/documents/a report of the year ${index}`.padEnd(63, '.'),
  );
}

/** Documents of about half a kilobyte each. @param {number} bytes */
export function documentOf(bytes) {
  if (bytes < 64) return { file: 'a.txt', line: 3 };
  return Array.from({ length: bytes / 512 }, (_, index) => ({
    file: `/home/user/documents/a report of the year ${index}.txt`,
    line: index,
    isNew: index % 2 === 0,
    tags: ['report', 'year'],
    text: 'It was a bright cold day in April, and the clocks were striking thirteen. '.repeat(5),
  }));
}
