import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SingletonError, type SingletonErrorCode } from '../../src/interface/errors.ts';
import { frames } from '../../src/protocol/frames.ts';
import type { Frame } from '../../src/protocol/messages.ts';
import { byteLimits, chunked, frameBytes, frameLists, hostileFrames } from './arbitraries.ts';

/** What a stream means: the frames it gives, and the code that it is then refused with. */
interface Outcome {
  readonly given: readonly Frame[];
  readonly code: SingletonErrorCode | undefined;
}

describe('frames', () => {
  test('are decoded as they were encoded, one after the other', () => {
    fc.assert(
      fc.property(frameLists(), (list) => {
        const bytes = Buffer.concat(list.map((frame) => frames.encode(frame)));
        expect(outcome([bytes])).toEqual({ given: list, code: undefined });
      }),
    );
  });

  test('of two streams, one behind the other, are those of the one and then those of the other', () => {
    fc.assert(
      fc.property(frameBytes(), frameBytes(), (one, other) => {
        const apart = [...outcome([one]).given, ...outcome([other]).given];
        expect(outcome([Buffer.concat([one, other])])).toEqual({ given: apart, code: undefined });
      }),
    );
  });

  test('are the same from any chunks, at any limit, but for those in the chunk that is refused', () => {
    fc.assert(
      fc.property(chunked(fc.oneof(frameBytes(), hostileFrames())), byteLimits(), ([bytes, chunks], limit) => {
        const single = Array.from(bytes, (byte) => Uint8Array.of(byte));
        const { given, code } = outcome(single, limit);
        const fromChunks = outcome(chunks, limit);
        expect(fromChunks.code).toBe(code);
        expect(fromChunks.given).toEqual(given.slice(0, code ? fromChunks.given.length : given.length));
      }),
      { numRuns: 500 },
    );
  });

  test('are those that a naive decoder gives, from any bytes at any limit', () => {
    fc.assert(
      fc.property(fc.oneof(frameBytes(), hostileFrames()), byteLimits(), (bytes, limit) => {
        const single = Array.from(bytes, (byte) => Uint8Array.of(byte));
        expect(outcome(single, limit)).toEqual(naive([...bytes], limit));
      }),
      { numRuns: 1000 },
    );
  });

  test('or one SingletonError for ever are what hostile bytes give', () => {
    fc.assert(
      fc.property(chunked(hostileFrames()), byteLimits(), ([, chunks], maxMessageBytes) => {
        const decoder = frames.createDecoder({ maxMessageBytes });
        const errors = [...chunks, ...chunks].flatMap((chunk) => thrown(() => decoder.push(chunk)));
        errors.push(...thrown(() => decoder.end()));
        for (const error of errors) expect(error).toBeInstanceOf(SingletonError);
        expect(new Set(errors).size).toBeLessThanOrEqual(1);
      }),
      { numRuns: 500 },
    );
  });
});

/** What is given before the chunk that is refused; from single bytes that is all before the refused frame. */
function outcome(chunks: readonly Uint8Array[], maxMessageBytes = 1_048_576): Outcome {
  const decoder = frames.createDecoder({ maxMessageBytes });
  const given: Frame[] = [];
  try {
    for (const chunk of chunks) given.push(...decoder.push(chunk));
    decoder.end();
    return { given, code: undefined };
  } catch (error) {
    if (error instanceof SingletonError) return { given, code: error.code };
    throw error;
  }
}

/** The format once more, for a stream that is there as a whole. */
function naive(bytes: readonly number[], limit: number): Outcome {
  if (bytes.length === 0) return { given: [], code: undefined };
  const [a, b, c, d, kind = 0, ...rest] = bytes;
  if (d === undefined) return { given: [], code: 'ERR_SINGLETON_TRUNCATED_MESSAGE' };
  const length = ((Number(a) * 256 + Number(b)) * 256 + Number(c)) * 256 + d;
  if (length === 0) return { given: [], code: 'ERR_SINGLETON_MALFORMED_MESSAGE' };
  if (length > limit) return { given: [], code: 'ERR_SINGLETON_MESSAGE_TOO_LARGE' };
  if (bytes.length < 4 + length) return { given: [], code: 'ERR_SINGLETON_TRUNCATED_MESSAGE' };
  const { given, code } = naive(rest.slice(length - 1), limit);
  return { given: [{ kind, body: Uint8Array.from(rest.slice(0, length - 1)) }, ...given], code };
}

function thrown(call: () => unknown): readonly unknown[] {
  try {
    call();
    return [];
  } catch (error) {
    return [error];
  }
}
