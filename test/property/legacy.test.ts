import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { legacy } from '../../src/codecs/legacy.ts';
import { SingletonError, type SingletonErrorCode } from '../../src/interface/errors.ts';
import { legacyFormat } from '../helpers/legacy-format.ts';
import {
  byteLimits,
  chunked,
  foreignTexts,
  hostileBytes,
  legacyBytes,
  legacyLists,
  legacySecrets,
  legacyTexts,
} from './arbitraries.ts';

const codec = legacyFormat;

/** What a stream means: its messages, or the code that it is refused with. */
type Outcome = readonly (readonly string[])[] | SingletonErrorCode;

describe('legacyFormat', () => {
  test('decodes any list that it encodes; one empty argument alone is none', () => {
    fc.assert(
      fc.property(legacyLists(), (list) => {
        const meant = list.length === 1 && list[0] === '' ? [] : list;
        expect(outcome([codec.encode(list)])).toStrictEqual([meant]);
      }),
      { examples: [[['']], [[]], [['', '']], [['\u{feff}']]] },
    );
  });

  test('decodes any list after any secret', () => {
    fc.assert(
      fc.property(legacySecrets(), legacyLists(), (secret, list) => {
        expect(outcome([codec.encode([secret, ...list])])).toStrictEqual([[secret, ...list]]);
      }),
    );
  });

  test('decodes the encodings of two lists that are not empty, one after the other, as one list', () => {
    const lists = legacyLists().filter(({ length }) => length > 0);
    fc.assert(
      fc.property(lists, lists, (one, other) => {
        expect(outcome([codec.encode(one), codec.encode(other)])).toStrictEqual([[...one, ...other]]);
      }),
    );
  });

  test('refuses to encode exactly what every decoder refuses', () => {
    const lists = fc.array(fc.oneof(foreignTexts(), legacyTexts()), { maxLength: 3 });
    fc.assert(
      fc.property(lists, (list) => {
        const encoded = thrown(() => codec.encode(list));
        const isRefused = !Array.isArray(outcome([Buffer.from(`${list.join('\0')}\0`)]));
        expect(encoded).toStrictEqual(
          isRefused ? [expect.objectContaining({ code: 'ERR_SINGLETON_UNENCODABLE' })] : [],
        );
      }),
      {
        numRuns: 2000,
        examples: [[['patch / HTTP/1.1\r\n']], [['SSH-2024-notes.txt']], [['SSH-2.0-x\n']], [['SSH-2.0-x']]],
      },
    );
  });

  test('accepts at a host each secret that its check accepts', () => {
    const secrets = fc.oneof(foreignTexts(), legacyTexts()).filter((text) => text !== '');
    fc.assert(
      fc.property(secrets, (secret) => {
        const host = {
          args: [],
          isFirst: false,
          reach: 'machine' as const,
          wait: false,
          replace: false,
          hasEnv: false,
          allowReplace: false,
        };
        const options = { ...host, secret: Buffer.from(secret), name: '', maxMessageBytes: 1_048_576 };
        const isAccepted = thrown(() => legacy().check?.(options)).length === 0;
        expect(isAccepted).toBe(Array.isArray(outcome([Buffer.from(`${secret}\0a\0`)])));
      }),
      { numRuns: 1000, examples: [['GET / HTTP/1.1\r\nmore'], ['SSH-2.0-x'], ['SSH-2.0-x\n']] },
    );
  });

  test('encodes as a naive encoder does', () => {
    fc.assert(
      fc.property(legacyLists(), (list) => {
        const bytes = list.flatMap((part) => [...new TextEncoder().encode(part), 0]);
        expect([...codec.encode(list)]).toStrictEqual(bytes.length > 0 ? bytes : [0]);
      }),
    );
  });

  test('decodes the same from any chunks, at any limit', () => {
    fc.assert(
      fc.property(chunked(fc.oneof(legacyBytes(), hostileBytes())), byteLimits(), ([bytes, chunks], limit) => {
        const whole = outcome([bytes], limit);
        expect(outcome(chunks, limit)).toStrictEqual(whole);
        expect(
          outcome(
            Array.from(bytes, (byte) => Uint8Array.of(byte)),
            limit,
          ),
        ).toStrictEqual(whole);
      }),
      { numRuns: 500 },
    );
  });

  test('decodes as a naive decoder does, from any bytes at any limit', () => {
    fc.assert(
      fc.property(fc.oneof(legacyBytes(), hostileBytes()), byteLimits(), (bytes, limit) => {
        expect(outcome([bytes], limit)).toStrictEqual(naive(bytes, limit));
      }),
      { numRuns: 1000 },
    );
  });

  test('returns messages or throws one SingletonError for ever, for hostile bytes', () => {
    fc.assert(
      fc.property(chunked(hostileBytes()), byteLimits(), ([, chunks], maxMessageBytes) => {
        const decoder = codec.createDecoder({ maxMessageBytes });
        const errors = [...chunks, ...chunks].flatMap((chunk) => thrown(() => decoder.push(chunk)));
        errors.push(...thrown(() => decoder.end()), ...thrown(() => decoder.end()));
        for (const error of errors) expect(error).toBeInstanceOf(SingletonError);
        expect(new Set(errors).size).toBeLessThanOrEqual(1);
      }),
      { numRuns: 500 },
    );
  });
});

function outcome(chunks: readonly Uint8Array[], maxMessageBytes = 1_048_576): Outcome {
  const decoder = codec.createDecoder({ maxMessageBytes });
  try {
    return [...chunks.flatMap((chunk) => decoder.push(chunk)), ...decoder.end()];
  } catch (error) {
    if (error instanceof SingletonError) return error.code;
    throw error;
  }
}

/** The format once more, for a stream that is there as a whole: slow, and plain enough to be believed. */
function naive(bytes: Uint8Array, limit: number): Outcome {
  if (isOther(Buffer.from(bytes.subarray(0, limit)).toString('latin1'))) return 'ERR_SINGLETON_MALFORMED_MESSAGE';
  if (bytes.length > limit) return 'ERR_SINGLETON_MESSAGE_TOO_LARGE';
  if (bytes.at(-1) !== 0) return 'ERR_SINGLETON_TRUNCATED_MESSAGE';
  try {
    const parts = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes).split('\0').slice(0, -1);
    return [parts.length === 1 && parts[0] === '' ? [] : parts];
  } catch {
    return 'ERR_SINGLETON_MALFORMED_MESSAGE';
  }
}

/** Whether a stream starts like another protocol, as far as its first NUL or line feed, which must be there. */
function isOther(text: string): boolean {
  const line = text.split('\n', 1).join().split('\0', 1).join();
  const end = text.charAt(line.length);
  if (end === '') return false;
  if (line.startsWith('\u{16}\u{3}') || line.startsWith('\u{f5}')) return true;
  return end === '\n' && (/^SSH-[0-9]\.[0-9]{1,17}-/.test(line) || / HTTP\/[0-9](\.[0-9])?\r?$/.test(line));
}

function thrown(call: () => unknown): readonly unknown[] {
  try {
    call();
    return [];
  } catch (error) {
    return [error];
  }
}
