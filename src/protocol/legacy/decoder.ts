import { isUtf8 } from 'node:buffer';
import type { DecodeLimits, Decoder } from '../../interface/codec.ts';
import { SingletonError, type SingletonErrorCode } from '../../interface/errors.ts';
import { GrowingBuffer } from '../growing-buffer.ts';
import { MAX_PARTS, NUL } from './message.ts';
import { headLength, recognizeStranger } from './sniff.ts';

/** Gives the parts between the NULs. */
export class LegacyDecoder implements Decoder<readonly string[]> {
  readonly #maxMessageBytes: number;
  readonly #message = new GrowingBuffer();
  #isHeadKnown = false;
  #isOver = false;
  #dead: SingletonError | undefined;

  constructor({ maxMessageBytes }: DecodeLimits) {
    this.#maxMessageBytes = maxMessageBytes;
  }

  push(chunk: Uint8Array): [] {
    this.#requireLife();
    const start = this.#message.length;
    const room = this.#maxMessageBytes - start;
    this.#message.append(chunk.subarray(0, room), this.#maxMessageBytes);
    if (!this.#isHeadKnown) this.#inspectHead(headLength(chunk.subarray(0, room)), start);
    if (chunk.length > room) {
      throw this.#die(
        'ERR_SINGLETON_MESSAGE_TOO_LARGE',
        `Expected a message of at most ${this.#maxMessageBytes} bytes (maxMessageBytes); more came.`,
      );
    }
    return [];
  }

  end(): [readonly string[]] {
    this.#requireLife();
    const message = this.#message.take();
    const bytes = Buffer.from(message.buffer, 0, message.length);
    if (bytes.at(-1) !== 0) {
      throw this.#die(
        'ERR_SINGLETON_TRUNCATED_MESSAGE',
        `Expected a NUL after the last argument; the stream ended after ${bytes.length} bytes without one.`,
      );
    }
    if (!isUtf8(bytes)) {
      throw this.#die('ERR_SINGLETON_MALFORMED_MESSAGE', `Expected UTF-8; ${bytes.length} bytes came that are not.`);
    }
    if (bytes.length > MAX_PARTS && countNuls(bytes) > MAX_PARTS) {
      throw this.#die('ERR_SINGLETON_MESSAGE_TOO_LARGE', `Expected at most ${MAX_PARTS} arguments; more came.`);
    }
    const text = bytes.toString('utf8', 0, bytes.length - 1);
    this.#isOver = true;
    return [Object.freeze(text === '' ? [] : text.split(NUL))];
  }

  #requireLife(): void {
    if (this.#dead) throw this.#dead;
    if (this.#isOver)
      throw this.#die('ERR_SINGLETON_MALFORMED_MESSAGE', 'Expected nothing after the end of the stream.');
  }

  #inspectHead(length: number | undefined, start: number): void {
    if (length === undefined) return;
    this.#isHeadKnown = true;
    const stranger = recognizeStranger(this.#message.bytes.subarray(0, start + length));
    if (stranger === undefined) return;
    throw this.#die('ERR_SINGLETON_MALFORMED_MESSAGE', `Expected arguments; what came is ${stranger}.`);
  }

  #die(code: SingletonErrorCode, message: string): SingletonError {
    this.#dead = new SingletonError(code, message);
    this.#message.clear();
    return this.#dead;
  }
}

/** Up to one more than there may be. */
function countNuls(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(0); at !== -1 && count <= MAX_PARTS; at = bytes.indexOf(0, at + 1)) count += 1;
  return count;
}
