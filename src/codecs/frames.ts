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
    const head = Buffer.alloc(LENGTH_BYTES + 1);
    head.writeUInt32BE(1 + body.length, 0);
    head.writeUInt8(kind, LENGTH_BYTES);
    return Buffer.concat([head, body]);
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
    for (let rest = chunk; rest.length > 0 && !this.#dead;) {
      const room = this.#wanted - this.#part.length;
      this.#part.append(rest.subarray(0, room), this.#wanted);
      rest = rest.subarray(room);
      if (this.#part.length === this.#wanted) whole.push(...this.#takePart(this.#part.take()));
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

  /** Either the length of a frame or what it counts. */
  #takePart(part: Uint8Array): Frame[] {
    this.#isLength = !this.#isLength;
    if (this.#isLength) {
      this.#wanted = LENGTH_BYTES;
      const [kind = 0] = part;
      return [{ kind, body: part.subarray(1) }];
    }
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
    return [];
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
