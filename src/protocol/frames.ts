import type { Writable } from 'node:stream';
import type { DecodeLimits, Decoder, Format } from '../interface/codec.ts';
import { messageTooLargeError, SingletonError, malformedError } from '../interface/errors.ts';
import { GrowingBuffer } from './growing-buffer.ts';
import { type Frame } from './messages.ts';
import type { StreamReader } from './read.ts';

const LENGTH_BYTES = 4;
const EMPTY = new Uint8Array(0);

/** Frames of this kind and above are skipped by a reader that does not know them, so that a later version can have more. */
const FIRST_SKIPPED_KIND = 128;

/**
 * Frames, whatever the serializer.
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

/** Whether no byte of another frame has arrived. */
export function isAtFrameBoundary(decoder: Decoder<Frame>): boolean {
  try {
    decoder.end();
    return true;
  } catch {
    return false;
  }
}

/** Reads frames one at a time. Until the next call of `read`, backpressure slows the sender down. */
export class FrameReader {
  readonly #reader: StreamReader;
  readonly #decoder: Decoder<Frame>;
  #frames: Frame[] = [];

  constructor(reader: StreamReader, decoder: Decoder<Frame>) {
    this.#reader = reader;
    this.#decoder = decoder;
  }

  /** @throws SingletonError if the stream ends before the next frame is complete, or if its bytes are no frame */
  read(): Promise<Frame> {
    return this.#reader.readUntil(
      () => this.#tryRead(),
      () => {
        throw connectionLostError(this.#reader.stream.errored);
      },
    );
  }

  #tryRead(): Frame | undefined {
    const frame = this.#frames.shift();
    if (frame) return frame;
    // Throws the error of the bytes after the previous frame, if there is one.
    this.#frames = this.#decoder.push(this.#reader.tryRead() ?? EMPTY);
    return this.#frames.shift();
  }
}

/** Writes frames to a stream. Starts corked: frames are kept until `uncork`. */
export class FrameWriter {
  readonly #stream: Writable;
  readonly #format: Format<Frame>;
  #corked: (() => void)[] | undefined = [];

  constructor(stream: Writable, format: Format<Frame>) {
    this.#stream = stream;
    this.#format = format;
  }

  uncork(): void {
    const writes = this.#corked ?? [];
    this.#corked = undefined;
    for (const write of writes) write();
  }

  /** `sent` is called when the stream takes more; never, if it is destroyed first. */
  write(frame: Frame, sent?: () => void): void {
    if (this.#corked) this.#corked.push(() => this.write(frame, sent));
    else if (!this.#stream.writable) return;
    else if (this.#stream.write(this.#format.encode(frame))) sent?.();
    else if (sent) this.#stream.once('drain', sent);
  }
}

class FrameDecoder implements Decoder<Frame> {
  readonly #maxMessageBytes: number;
  readonly #buffer = new GrowingBuffer();
  /** How many bytes of the length have not arrived. */
  #missingLengthBytes = LENGTH_BYTES;
  /** What the length is, as far as it has arrived. */
  #length = 0;
  #isEnded = false;
  #error: SingletonError | undefined;

  constructor({ maxMessageBytes }: DecodeLimits) {
    this.#maxMessageBytes = maxMessageBytes;
  }

  push(chunk: Uint8Array): Frame[] {
    this.#assertUsable();
    const decoded: Frame[] = [];
    for (let at = 0; at < chunk.length && !this.#error;) {
      if (this.#missingLengthBytes > 0) {
        this.#readLength(chunk[at] ?? 0);
        at += 1;
        continue;
      }
      const end = at + this.#length - this.#buffer.length;
      const frame = this.#readFrame(chunk, at, end);
      at = end;
      if (frame && frame.kind < FIRST_SKIPPED_KIND) decoded.push(frame);
    }
    if (this.#error && decoded.length === 0) throw this.#error;
    return decoded;
  }

  end(): [] {
    this.#assertUsable();
    this.#isEnded = true;
    if (this.#missingLengthBytes === LENGTH_BYTES) return [];
    throw this.#fail(
      new SingletonError(
        'ERR_SINGLETON_TRUNCATED_MESSAGE',
        'The connection ended in the middle of a message. The other process may have exited.',
      ),
    );
  }

  /** The frame whose last byte is before `end`, if that has arrived. Its bytes are copied only if they arrived in several pieces. */
  #readFrame(chunk: Uint8Array, start: number, end: number): Frame | undefined {
    const isWhole = end - start === this.#length && end <= chunk.length;
    if (!isWhole) this.#buffer.append(chunk.subarray(start, end), this.#length);
    if (!isWhole && this.#buffer.length < this.#length) return undefined;
    const frame = isWhole ? frameOf(chunk, start, this.#length) : frameOf(this.#buffer.take(), 0, this.#length);
    this.#missingLengthBytes = LENGTH_BYTES;
    this.#length = 0;
    return frame;
  }

  #readLength(byte: number): void {
    this.#length = this.#length * 256 + byte;
    this.#missingLengthBytes -= 1;
    if (this.#missingLengthBytes > 0) return;
    if (this.#length === 0) this.#fail(malformedError('a frame of one byte or more, got an empty one'));
    else if (this.#length > this.#maxMessageBytes)
      this.#fail(messageTooLargeError(this.#maxMessageBytes, this.#length));
  }

  #assertUsable(): void {
    if (this.#error) throw this.#error;
    if (this.#isEnded) throw this.#fail(malformedError('no bytes after the end of the stream'));
  }

  #fail(error: SingletonError): SingletonError {
    this.#error = error;
    this.#buffer.clear();
    return error;
  }
}

/** Not by subarray(): the body of a Buffer would be a Buffer, and serializers would decode binary values to Buffers. */
function frameOf(bytes: Uint8Array, start: number, length: number): Frame {
  return { kind: bytes[start] ?? 0, body: new Uint8Array(bytes.buffer, bytes.byteOffset + start + 1, length - 1) };
}

function connectionLostError(cause: Error | null): SingletonError {
  if (cause instanceof SingletonError && cause.code !== 'ERR_SINGLETON_TRUNCATED_MESSAGE') return cause;
  return new SingletonError(
    'ERR_SINGLETON_CONNECTION_FAILED',
    'The connection was lost after the launch was sent, before its receipt or its result. ' +
      'The launch may have run: check before you repeat it.',
    cause ? { cause } : undefined,
  );
}
