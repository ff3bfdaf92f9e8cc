import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SingletonError } from '../../src/interface/errors.ts';
import { decodeFields, encodeFields, type Field } from '../../src/protocol/fields.ts';
import { frames } from '../../src/protocol/frames.ts';
import { decodeLaunch } from '../../src/protocol/launch.ts';
import { decodeReceipt, decodeRefusal, decodeStatus, type Frame } from '../../src/protocol/messages.ts';
import { byteLimits, chunked, fieldLists, frameLists, hostileFields, skippableFrames } from './arbitraries.ts';

describe('decodeFields()', () => {
  test('decodes a list as it was encoded', () => {
    fc.assert(
      fc.property(fieldLists(), (list) => {
        expect(plain(decodeFields(encodeFields(list)))).toEqual(plain(list));
      }),
    );
  });

  test('decodes as a naive decoder does, from any bytes', () => {
    fc.assert(
      fc.property(hostileFields(), (bytes) => {
        expect(outcome(() => plain(decodeFields(bytes)))).toEqual(naive([...bytes]));
      }),
      { numRuns: 1000 },
    );
  });
});

describe.each<[string, (frame: Frame) => unknown, number, number]>([
  ['launch', decodeLaunch, 1, 11],
  ['receipt', decodeReceipt, 2, 17],
  ['refusal', decodeRefusal, 3, 1],
  ['status', decodeStatus, 11, 24],
])('a %s', (_, decode, kind, fixed) => {
  test('decodes to a value, or fails with a SingletonError, with any fields after its fixed part', () => {
    const heads = fc.uint8Array({ minLength: fixed, maxLength: fixed });
    fc.assert(
      fc.property(heads, hostileFields(), (head, fields) => {
        const { error } = attempt(() => decode({ kind, body: Buffer.concat([head, fields]) }));
        if (error !== undefined) expect(error).toBeInstanceOf(SingletonError);
      }),
      { numRuns: 500 },
    );
  });
});

describe('frames.createDecoder', () => {
  test('returns the frames that it knows, whichever are skipped between them, from any chunks', () => {
    const mixed = fc.array(fc.oneof(frameLists(), fc.array(skippableFrames(), { maxLength: 3 })), { maxLength: 6 });
    const streams = mixed.chain((lists) => {
      const list = lists.flat();
      const bytes = Buffer.concat(list.map((frame) => frames.encode(frame)));
      return fc.tuple(fc.constant(list), chunked(fc.constant(bytes)));
    });
    fc.assert(
      fc.property(streams, ([list, [, chunks]]) => {
        const decoder = frames.createDecoder({ maxMessageBytes: 1024 });
        const decoded = chunks.flatMap((chunk) => decoder.push(chunk));
        decoder.end();
        expect(decoded).toEqual(list.filter(({ kind }) => kind < 128));
      }),
      { numRuns: 500 },
    );
  });

  test('applies its limit to a frame that it would skip, before it buffers the body', () => {
    fc.assert(
      fc.property(skippableFrames(), byteLimits(), (frame, maxMessageBytes) => {
        const decoder = frames.createDecoder({ maxMessageBytes });
        // The length and the kind only.
        const { error } = attempt(() => decoder.push(frames.encode(frame).subarray(0, 5)));
        const isTooLong = 1 + frame.body.length > maxMessageBytes;
        expect(error instanceof SingletonError && error.code).toBe(isTooLong && 'ERR_SINGLETON_MESSAGE_TOO_LARGE');
      }),
    );
  });
});

/** With values that compare equal whatever their class. */
function plain(list: readonly Field[]): unknown {
  return list.map(({ key, value }) => [key, ...value]);
}

function attempt(act: () => unknown): { readonly value?: unknown; readonly error?: unknown } {
  try {
    return { value: act() };
  } catch (error) {
    return { error };
  }
}

function outcome(act: () => unknown): unknown {
  const { value, error } = attempt(act);
  return error instanceof SingletonError ? error.code : value;
}

/** A second decoder: the fields, or the code of the error. */
function naive(bytes: readonly number[]): unknown {
  const [key = 0, high = 0, low, ...rest] = bytes;
  if (bytes.length === 0) return [];
  const length = 256 * high + (low ?? 0);
  if (low === undefined || rest.length < length) return 'ERR_SINGLETON_MALFORMED_MESSAGE';
  const others = naive(rest.slice(length));
  return Array.isArray(others) ? [[key, ...rest.slice(0, length)], ...others] : others;
}
