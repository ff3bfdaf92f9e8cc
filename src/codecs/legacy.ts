import { Buffer, isUtf8 } from 'node:buffer';
import { SingletonError, type SingletonErrorCode } from '../core/errors.ts';
import { invalidOption } from '../core/invalid-option.ts';
import { GrowingBuffer } from '../protocol/growing-buffer.ts';
import { oneWay } from '../protocol/one-way.ts';
import type { Codec, DecodeLimits, Decoder, Format } from './codec.ts';
import { headLength, recognizeStranger } from './stranger.ts';

const NUL = '\0';

/** A part costs its host more than its bytes: a megabyte could hold a million. */
const MAX_PARTS = 65_536;

/** A codec for lists of strings; its messages are the parts between the NULs. */
export interface LegacyCodec extends Codec<readonly string[], never>, Format<readonly string[]> {}

/**
 * The wire of the Python package Socket_Singleton, byte for byte, and so the one that talks to it:
 *
 *     [secret NUL] argument NUL argument NUL …      UTF-8; complete at end of stream; no answer
 *
 * No arguments and no secret is a single NUL, and so is one empty argument: it arrives as no arguments.
 */
export function legacy(): LegacyCodec {
  return {
    name: 'legacy',
    protocol: oneWay({ encode, createDecoder }),
    check({ args, secret, name, wait }) {
      if (!Array.isArray(args) || !Array.from(args).every((arg) => typeof arg === 'string')) {
        throw invalidOption('args', 'an array of strings, which is what the legacy codec carries', args);
      }
      if (secret !== undefined && (!isUtf8(secret) || secret.includes(0) || recognizeStranger(secret))) {
        throw new SingletonError(
          'ERR_SINGLETON_INVALID_OPTION',
          'Option "secret": expected UTF-8 without NUL that does not start like HTTP, TLS or SSH; the legacy codec ' +
            'carries no other.',
        );
      }
      if (name !== '') throw invalidOption('name', 'nothing beside the legacy codec, which cannot carry it', name);
      if (wait) throw invalidOption('wait', 'false beside the legacy codec, on which no host can answer', wait);
      return undefined;
    },
    encode,
    createDecoder,
  };
}

function encode(parts: readonly string[]): Uint8Array {
  if (parts.length > MAX_PARTS) throw unencodable(`there are more than ${MAX_PARTS}`);
  for (const [index, part] of parts.entries()) {
    if (part.includes(NUL)) throw unencodable(`part ${index} of the message has a NUL, which separates parts`);
    if (!part.isWellFormed())
      throw unencodable(`part ${index} of the message has a lone surrogate, which is not UTF-8`);
  }
  const bytes = Buffer.from(parts.join(NUL) + NUL);
  const stranger = recognizeStranger(bytes.subarray(0, headLength(bytes)));
  if (stranger !== undefined) throw unencodable(`they start like ${stranger}, which every host refuses`);
  return bytes;
}

function unencodable(problem: string): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_UNENCODABLE',
    `The legacy codec cannot carry these arguments: ${problem}. Change them.`,
  );
}

function createDecoder(limits: DecodeLimits): Decoder<readonly string[]> {
  return new LegacyDecoder(limits);
}

class LegacyDecoder implements Decoder<readonly string[]> {
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
    if (countNuls(bytes) > MAX_PARTS) {
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
