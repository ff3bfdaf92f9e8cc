import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import type { Decoder, Format } from '../../src/interface/codec.ts';
import { SingletonError, type SingletonErrorCode } from '../../src/interface/errors.ts';

/** Part of every hostile example, and may be in no error. */
export const MARKER = 'marker-7d41';

export interface FormatUnderTest<Message> {
  readonly format: Format<Message>;
  readonly examples: readonly Example<Message>[];
  readonly hostile: readonly HostileExample[];
  readonly capabilities: FormatCapabilities;
}

export interface Example<Message> {
  readonly name: string;
  readonly message: Message;
  readonly bytes: Uint8Array;
}

export interface HostileExample {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly code: SingletonErrorCode;
  /** Whether the bytes themselves are refused, or only their end. */
  readonly refusedBy: 'push' | 'end';
}

export interface FormatCapabilities {
  /** A message is complete by itself and others may follow; else it is complete at end of stream. */
  readonly isDelimited: boolean;
  /** Bytes of the length at the start of a message, which the limit does not count; 0 if there is none. */
  readonly headerBytes: number;
}

/** The guarantees of every wire format. */
export function testFormat<Message>({ format, examples, hostile, capabilities }: FormatUnderTest<Message>): void {
  const { isDelimited, headerBytes } = capabilities;

  describe.each(examples)('the format, for the example $name,', ({ message, bytes }) => {
    test('encodes it as these bytes', () => {
      expect(hex(format.encode(message))).toBe(hex(bytes));
    });

    test('decodes it when it arrives whole', () => {
      expect(decode(format, [bytes])).toStrictEqual([message]);
    });

    test('decodes it when it arrives byte by byte', () => {
      expect(decode(format, byteByByte(bytes))).toStrictEqual([message]);
    });

    test('decodes it when it arrives in two parts, at every split', () => {
      for (const parts of splits(bytes)) expect(decode(format, parts)).toStrictEqual([message]);
    });

    test('decodes it when empty chunks arrive between its bytes', () => {
      const empty = new Uint8Array(0);
      const chunks = [empty, ...byteByByte(bytes).flatMap((byte) => [byte, empty])];
      expect(decode(format, chunks)).toStrictEqual([message]);
    });

    test('decodes it when each chunk is overwritten after push()', () => {
      const decoder = format.createDecoder({ maxMessageBytes: bytes.length });
      const messages: Message[] = [];
      for (const part of [bytes.subarray(0, bytes.length - 1), bytes.subarray(bytes.length - 1)]) {
        const chunk = Uint8Array.from(part);
        messages.push(...decoder.push(chunk));
        chunk.fill(0xff);
      }
      messages.push(...decoder.end());
      expect(messages).toStrictEqual([message]);
    });

    test('decodes it if the limit is its length', () => {
      expect(decode(format, [bytes], bytes.length - headerBytes)).toStrictEqual([message]);
    });

    test('refuses it as too large, as early as possible, if the limit is one byte less', () => {
      const decoder = format.createDecoder({ maxMessageBytes: bytes.length - headerBytes - 1 });
      const refusedAt = byteByByte(bytes).findIndex((byte) => codeOf(() => decoder.push(byte)) !== undefined);
      expect(codeOf(() => decoder.end())).toBe('ERR_SINGLETON_MESSAGE_TOO_LARGE');
      expect(refusedAt).toBe(headerBytes === 0 ? bytes.length - 1 : headerBytes - 1);
    });

    test('returns messages or throws a SingletonError if any byte is changed', () => {
      for (const index of bytes.keys()) {
        const changed = Uint8Array.from(bytes);
        changed[index] = ~(bytes[index] ?? 0);
        codeOf(() => decode(format, [changed]));
      }
    });

    test('returns messages or throws a SingletonError if it is truncated at any byte', () => {
      for (const [start] of splits(bytes)) codeOf(() => decode(format, [start]));
    });
  });

  describe('the format', () => {
    if (isDelimited) {
      test('decodes messages that follow each other in order, at every split', () => {
        const bytes = Uint8Array.from(examples.flatMap((example) => [...example.bytes]));
        const messages = examples.map(({ message }) => message);
        for (const parts of splits(bytes)) expect(decode(format, parts)).toStrictEqual(messages);
      });
    }

    test('keeps two interleaved decoders apart', () => {
      for (const { message, bytes } of examples) {
        const decoders = [bytes, bytes].map(() => format.createDecoder({ maxMessageBytes: bytes.length }));
        const messages = byteByByte(bytes).flatMap((byte) => decoders.flatMap((decoder) => decoder.push(byte)));
        messages.push(...decoders.flatMap((decoder) => decoder.end()));
        expect(messages).toStrictEqual([message, message]);
      }
    });
  });

  describe.each(hostile)('the format, for the hostile example $name,', ({ bytes, code, refusedBy }) => {
    const limit = bytes.length;
    const error = (chunks: readonly Uint8Array[]): unknown => errorOf(() => decode(format, chunks, limit));

    test(`refuses it with ${code}, whole, byte by byte and at every split`, () => {
      for (const chunks of [[bytes], byteByByte(bytes), ...splits(bytes)])
        expect(error(chunks)).toMatchObject({ code });
    });

    test(`refuses it in ${refusedBy}()`, () => {
      const decoder = format.createDecoder({ maxMessageBytes: limit });
      // An error after a whole message is thrown by the next call.
      const push = (): unknown => [decoder.push(bytes), decoder.push(new Uint8Array(0))];
      expect(codeOf(push)).toBe(refusedBy === 'push' ? code : undefined);
    });

    test('throws the same error on every later call', () => {
      const decoder = format.createDecoder({ maxMessageBytes: limit });
      const first = errorOf(() => [decoder.push(bytes), decoder.end()]);
      const [good] = examples;
      const again = [
        () => decoder.push(good?.bytes ?? bytes),
        () => decoder.push(new Uint8Array(0)),
        () => decoder.end(),
      ];
      for (const act of [...again, ...again]) expect(errorOf(act)).toBe(first);
    });

    test('does not show it in the error', () => {
      expect(Buffer.from(bytes).toString('latin1')).toContain(MARKER);
      for (const chunks of [[bytes], byteByByte(bytes)]) expect(inspect(error(chunks))).not.toContain(MARKER);
    });
  });
}

/** All messages of a stream that arrives in these chunks and then ends. */
export function decode<Message>(
  format: Format<Message>,
  chunks: readonly Uint8Array[],
  maxMessageBytes = chunks.reduce((sum, chunk) => sum + chunk.length, 1),
): readonly Message[] {
  const decoder: Decoder<Message> = format.createDecoder({ maxMessageBytes });
  return [...chunks.flatMap((chunk) => decoder.push(chunk)), ...decoder.end()];
}

/** The code of the SingletonError that the call throws, if it throws; any other error fails the test. */
export function codeOf(call: () => unknown): SingletonErrorCode | undefined {
  const error = errorOf(call);
  if (error === undefined) return undefined;
  expect(error).toBeInstanceOf(SingletonError);
  return error instanceof SingletonError ? error.code : undefined;
}

function errorOf(call: () => unknown): unknown {
  try {
    call();
    return undefined;
  } catch (error) {
    return error;
  }
}

function byteByByte(bytes: Uint8Array): readonly Uint8Array[] {
  return Array.from(bytes, (byte) => Uint8Array.of(byte));
}

function splits(bytes: Uint8Array): readonly (readonly [Uint8Array, Uint8Array])[] {
  return Array.from(bytes, (_, at) => [bytes.subarray(0, at), bytes.subarray(at)]);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
