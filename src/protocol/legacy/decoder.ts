import { isUtf8 } from 'node:buffer';
import type { DecodeLimits, Decoder } from '../../interface/codec.ts';
import { messageTooLargeError, SingletonError } from '../../interface/errors.ts';
import { GrowingBuffer } from '../growing-buffer.ts';
import { MAX_FIELDS, NUL } from './message.ts';
import { headLength, sniffForeignProtocol } from './sniff.ts';

/** Decodes one message to its fields: the secret, if there is one, and the arguments. */
export class LegacyDecoder implements Decoder<readonly string[]> {
  readonly #maxMessageBytes: number;
  readonly #message = new GrowingBuffer();
  #isHeadKnown = false;
  #isEnded = false;
  #error: SingletonError | undefined;

  constructor({ maxMessageBytes }: DecodeLimits) {
    this.#maxMessageBytes = maxMessageBytes;
  }

  push(chunk: Uint8Array): [] {
    this.#assertUsable();
    const room = this.#maxMessageBytes - this.#message.length;
    const bytes = chunk.subarray(0, room);
    this.#message.append(bytes, this.#maxMessageBytes);
    if (!this.#isHeadKnown && headLength(bytes) !== undefined) this.#inspectHead();
    if (chunk.length > room) throw this.#fail(messageTooLargeError(this.#maxMessageBytes));
    return [];
  }

  end(): [readonly string[]] {
    this.#assertUsable();
    const message = this.#message.take();
    const bytes = Buffer.from(message.buffer, 0, message.length);
    if (bytes.at(-1) !== 0) {
      throw this.#fail(
        new SingletonError(
          'ERR_SINGLETON_TRUNCATED_MESSAGE',
          `Expected a NUL after the last argument, but the connection ended after ${bytes.length} bytes without one. ` +
            'The client may have exited, or speak another protocol.',
        ),
      );
    }
    const text = bytes.toString('utf8', 0, bytes.length - 1);
    // What is not UTF-8 was replaced.
    if (text.includes('\u{fffd}') && !isUtf8(bytes)) {
      throw this.#fail(
        new SingletonError(
          'ERR_SINGLETON_MALFORMED_MESSAGE',
          `Expected UTF-8, got ${bytes.length} bytes that are not. The client may speak another protocol.`,
        ),
      );
    }
    if (bytes.length > MAX_FIELDS && countNuls(bytes) > MAX_FIELDS) {
      throw this.#fail(
        new SingletonError(
          'ERR_SINGLETON_MESSAGE_TOO_LARGE',
          `Expected at most ${MAX_FIELDS} arguments, but more arrived. Send fewer.`,
        ),
      );
    }
    this.#isEnded = true;
    return [Object.freeze(text === '' ? [] : text.split(NUL))];
  }

  #assertUsable(): void {
    if (this.#error) throw this.#error;
    if (this.#isEnded)
      throw this.#fail(
        new SingletonError('ERR_SINGLETON_MALFORMED_MESSAGE', 'Expected no bytes after the end of the stream.'),
      );
  }

  #inspectHead(): void {
    this.#isHeadKnown = true;
    const foreignProtocol = sniffForeignProtocol(this.#message.bytes);
    if (foreignProtocol === undefined) return;
    throw this.#fail(
      new SingletonError(
        'ERR_SINGLETON_MALFORMED_MESSAGE',
        `Expected arguments, got ${foreignProtocol}. A client of another protocol connected to this endpoint.`,
      ),
    );
  }

  #fail(error: SingletonError): SingletonError {
    this.#error = error;
    this.#message.clear();
    return error;
  }
}

/** Stops at one more than allowed. */
function countNuls(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(0); at !== -1 && count <= MAX_FIELDS; at = bytes.indexOf(0, at + 1)) count += 1;
  return count;
}
