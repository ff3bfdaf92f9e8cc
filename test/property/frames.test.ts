import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SingletonError, type SingletonErrorCode } from '../../src/interface/errors.ts';
import { frames } from '../../src/protocol/frames.ts';
import type { Frame } from '../../src/protocol/messages.ts';
import { byteLimits, chunked, frameBytes, frameLists, hostileFrames } from './arbitraries.ts';

/** The frames that are decoded from a stream, and the code of the error that ends it. */
interface Outcome {
  readonly decoded: readonly Frame[];
  readonly code: SingletonErrorCode | undefined;
}

describe('frames.createDecoder', () => {
  test('decodes a list of frames as it was encoded', () => {
    fc.assert(
      fc.property(frameLists(), (list) => {
        const bytes = Buffer.concat(list.map((frame) => frames.encode(frame)));
        expect(outcome([bytes])).toEqual({ decoded: list, code: undefined });
      }),
    );
  });

  test('decodes two concatenated streams as the frames of the one and then those of the other', () => {
    fc.assert(
      fc.property(frameBytes(), frameBytes(), (one, other) => {
        const apart = [...outcome([one]).decoded, ...outcome([other]).decoded];
        expect(outcome([Buffer.concat([one, other])])).toEqual({ decoded: apart, code: undefined });
      }),
    );
  });

  test('returns the same frames from any chunks, at any limit, except those in the chunk that is refused', () => {
    fc.assert(
      fc.property(chunked(fc.oneof(frameBytes(), hostileFrames())), byteLimits(), ([bytes, chunks], limit) => {
        const single = Array.from(bytes, (byte) => Uint8Array.of(byte));
        const { decoded, code } = outcome(single, limit);
        const fromChunks = outcome(chunks, limit);
        expect(fromChunks.code).toBe(code);
        expect(fromChunks.decoded).toEqual(decoded.slice(0, code ? fromChunks.decoded.length : decoded.length));
      }),
      { numRuns: 500 },
    );
  });

  test('decodes as a naive decoder does, from any bytes at any limit', () => {
    fc.assert(
      fc.property(fc.oneof(frameBytes(), hostileFrames()), byteLimits(), (bytes, limit) => {
        const single = Array.from(bytes, (byte) => Uint8Array.of(byte));
        expect(outcome(single, limit)).toEqual(naive([...bytes], limit));
      }),
      { numRuns: 1000 },
    );
  });

  test('throws one SingletonError for ever, or none, for hostile bytes', () => {
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

/** The frames before the chunk that is refused. With single bytes, these are all frames before the refused one. */
function outcome(chunks: readonly Uint8Array[], maxMessageBytes = 1_048_576): Outcome {
  const decoder = frames.createDecoder({ maxMessageBytes });
  const decoded: Frame[] = [];
  try {
    for (const chunk of chunks) decoded.push(...decoder.push(chunk));
    decoder.end();
    return { decoded, code: undefined };
  } catch (error) {
    if (error instanceof SingletonError) return { decoded, code: error.code };
    throw error;
  }
}

/** A second decoder, for a whole stream. */
function naive(bytes: readonly number[], limit: number): Outcome {
  if (bytes.length === 0) return { decoded: [], code: undefined };
  const [a, b, c, d, kind = 0, ...rest] = bytes;
  if (d === undefined) return { decoded: [], code: 'ERR_SINGLETON_TRUNCATED_MESSAGE' };
  const length = ((Number(a) * 256 + Number(b)) * 256 + Number(c)) * 256 + d;
  if (length === 0) return { decoded: [], code: 'ERR_SINGLETON_MALFORMED_MESSAGE' };
  if (length > limit) return { decoded: [], code: 'ERR_SINGLETON_MESSAGE_TOO_LARGE' };
  if (bytes.length < 4 + length) return { decoded: [], code: 'ERR_SINGLETON_TRUNCATED_MESSAGE' };
  const { decoded, code } = naive(rest.slice(length - 1), limit);
  const frame = { kind, body: Uint8Array.from(rest.slice(0, length - 1)) };
  // A reader skips those of a later version.
  return { decoded: kind < 128 ? [frame, ...decoded] : decoded, code };
}

function thrown(call: () => unknown): readonly unknown[] {
  try {
    call();
    return [];
  } catch (error) {
    return [error];
  }
}
