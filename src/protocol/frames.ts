import type { Duplex, Writable } from 'node:stream';
import type { DecodeLimits, Decoder, Format } from '../interface/codec.ts';
import { SingletonError, type SingletonErrorCode } from '../interface/errors.ts';
import { GrowingBuffer } from './growing-buffer.ts';
import type { Frame } from './messages.ts';
import { readSome } from './read.ts';
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
  #isEnded = false;
  #error: SingletonError | undefined;

  constructor({ maxMessageBytes }: DecodeLimits) {
    this.#maxMessageBytes = maxMessageBytes;
  }

  push(chunk: Uint8Array): Frame[] {
    this.#assertUsable();
    const whole: Frame[] = [];
    for (let at = 0; at < chunk.length && !this.#error;) {
      const piece = chunk.subarray(at, at + this.#wanted - this.#part.length);
      at += piece.length;
      const part = this.#complete(piece);
      if (!part) break;
      if (this.#isLength) this.#takeLength(part);
      else whole.push(this.#takeFrame(part));
    }
    if (this.#error && whole.length === 0) throw this.#error;
    return whole;
  }

  end(): [] {
    this.#assertUsable();
    this.#isEnded = true;
    if (this.#isLength && this.#part.length === 0) return [];
    throw this.#fail(
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
      this.#fail('ERR_SINGLETON_MALFORMED_MESSAGE', 'Expected a frame of one byte or more; an empty one came.');
    }
    if (this.#wanted > this.#maxMessageBytes) {
      this.#fail(
        'ERR_SINGLETON_MESSAGE_TOO_LARGE',
        `Expected a frame of at most ${this.#maxMessageBytes} bytes (maxMessageBytes); one of ${this.#wanted} came.`,
      );
    }
  }

  #assertUsable(): void {
    if (this.#error) throw this.#error;
    if (this.#isEnded)
      throw this.#fail('ERR_SINGLETON_MALFORMED_MESSAGE', 'Expected nothing after the end of the stream.');
  }

  #fail(code: SingletonErrorCode, message: string): SingletonError {
    this.#error = new SingletonError(code, message);
    this.#part.clear();
    return this.#error;
  }
}

const NOTHING = new Uint8Array(0);

/** Frames from a host, one at a time: while nobody asks, the host is slowed down. */
export class FrameReader {
  readonly #stream: Duplex;
  readonly #decoder: Decoder<Frame>;
  #frames: Frame[] = [];

  constructor(stream: Duplex, decoder: Decoder<Frame>) {
    this.#stream = stream;
    this.#decoder = decoder;
  }

  /** @throws SingletonError where the stream breaks off before the next frame is whole, or what comes is none */
  async read(): Promise<Frame> {
    for (;;) {
      const frame = this.#frames.shift();
      if (frame) return frame;
      // What is wrong behind a whole frame is told by the next call.
      this.#decoder.push(NOTHING);
      const chunk = await readSome(this.#stream);
      if (!chunk) throw connectionLostError(this.#stream.errored);
      this.#frames = this.#decoder.push(chunk);
    }
  }
}

function connectionLostError(cause: Error | null): SingletonError {
  if (cause instanceof SingletonError && cause.code !== 'ERR_SINGLETON_TRUNCATED_MESSAGE') return cause;
  return new SingletonError(
    'ERR_SINGLETON_CONNECTION_FAILED',
    'The host broke the connection off when it had the launch, and did not say what became of it.',
    cause ? { cause } : undefined,
  );
}

/** Writes frames to a stream, one after the other, from the moment that it is opened. */
export class FrameWriter {
  readonly #stream: Writable;
  readonly #frames: Format<Frame>;
  #corked: (() => void)[] | undefined = [];

  constructor(stream: Writable, format: Format<Frame>) {
    this.#stream = stream;
    this.#frames = format;
  }

  /** What was written so far is sent. */
  uncork(): void {
    const held = this.#corked ?? [];
    this.#corked = undefined;
    for (const write of held) write();
  }

  /** `sent` is called when the stream takes more; never, where it is destroyed first. */
  write(frame: Frame, sent?: () => void): void {
    if (this.#corked) this.#corked.push(() => this.write(frame, sent));
    else if (!this.#stream.writable) return;
    else if (this.#stream.write(this.#frames.encode(frame))) sent?.();
    else if (sent) this.#stream.once('drain', sent);
  }
}
