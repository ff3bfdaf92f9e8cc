import { SingletonError, type SingletonErrorCode } from '../core/errors.ts';
import { GrowingBuffer } from '../protocol/growing-buffer.ts';
import type { Frame } from '../protocol/messages.ts';
import type { DecodeLimits, Decoder, Format } from './codec.ts';

const LENGTH_BYTES = 4;

/**
 * Frames of any serializer.
 *
 *     u32 length, big-endian | u8 kind | body        length counts kind and body
 */
export const frames: Format<Frame> = {
  encode({ kind, body }) {
    const message = Buffer.allocUnsafe(LENGTH_BYTES + 1 + body.length);
    message.writeUInt32BE(1 + body.length);
    message[LENGTH_BYTES] = kind;
    message.set(body, LENGTH_BYTES + 1);
    return message;
  },
  createDecoder: (limits) => new FrameDecoder(limits),
};

class FrameDecoder implements Decoder<Frame> {
  readonly #maxMessageBytes: number;
  readonly #part = new GrowingBuffer();
  #wanted = LENGTH_BYTES;
  #isLength = true;
  #isOver = false;
  #dead: SingletonError | undefined;

  constructor({ maxMessageBytes }: DecodeLimits) {
    this.#maxMessageBytes = maxMessageBytes;
  }

  push(chunk: Uint8Array): Frame[] {
    this.#requireLife();
    const whole: Frame[] = [];
    for (let at = 0; at < chunk.length && !this.#dead;) {
      const piece = chunk.subarray(at, at + this.#wanted - this.#part.length);
      at += piece.length;
      const part = this.#complete(piece);
      if (!part) break;
      if (this.#isLength) this.#takeLength(part);
      else whole.push(this.#takeFrame(part));
    }
    if (this.#dead && whole.length === 0) throw this.#dead;
    return whole;
  }

  end(): [] {
    this.#requireLife();
    this.#isOver = true;
    if (this.#isLength && this.#part.length === 0) return [];
    throw this.#die(
      'ERR_SINGLETON_TRUNCATED_MESSAGE',
      'Expected a whole frame; the stream ended in the middle of one.',
    );
  }

  /** What was wanted, where this piece ends it; it is copied only where it came in several. */
  #complete(piece: Uint8Array): Uint8Array | undefined {
    if (piece.length === this.#wanted) return piece;
    this.#part.append(piece, this.#wanted);
    return this.#part.length === this.#wanted ? this.#part.take() : undefined;
  }

  #takeFrame(part: Uint8Array): Frame {
    this.#isLength = true;
    this.#wanted = LENGTH_BYTES;
    // The body of a Buffer would be one too, and whoever decodes it would make Buffers of it.
    return { kind: part[0] ?? 0, body: new Uint8Array(part.buffer, part.byteOffset + 1, part.length - 1) };
  }

  #takeLength(part: Uint8Array): void {
    this.#isLength = false;
    this.#wanted = new DataView(part.buffer, part.byteOffset).getUint32(0);
    if (this.#wanted === 0) {
      this.#die('ERR_SINGLETON_MALFORMED_MESSAGE', 'Expected a frame of one byte or more; an empty one came.');
    }
    if (this.#wanted > this.#maxMessageBytes) {
      this.#die(
        'ERR_SINGLETON_MESSAGE_TOO_LARGE',
        `Expected a frame of at most ${this.#maxMessageBytes} bytes (maxMessageBytes); one of ${this.#wanted} came.`,
      );
    }
  }

  #requireLife(): void {
    if (this.#dead) throw this.#dead;
    if (this.#isOver)
      throw this.#die('ERR_SINGLETON_MALFORMED_MESSAGE', 'Expected nothing after the end of the stream.');
  }

  #die(code: SingletonErrorCode, message: string): SingletonError {
    this.#dead = new SingletonError(code, message);
    this.#part.clear();
    return this.#dead;
  }
}
