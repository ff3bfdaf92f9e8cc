import { Duplex } from 'node:stream';
import { SingletonError, type SingletonErrorCode } from '../../interface/errors.ts';
import { GrowingBuffer } from '../growing-buffer.ts';
import { MAX_MESSAGE_BYTES, type NoiseSession, TAG_BYTES } from './noise.ts';

const LENGTH_BYTES = 2;
const MAX_PLAINTEXT = MAX_MESSAGE_BYTES - TAG_BYTES;
const EMPTY = Buffer.alloc(0);
/** Up to this length, to copy a record takes less time than to write it in three parts. */
const MAX_COPIED_BYTES = 4096;

/** The part of a record that is read next. */
type Part = 'length' | 'ciphertext' | 'tag';

/**
 * An encrypted `Duplex` over a connection. Data arrives unchanged and unread by others, or the stream fails.
 *
 *     u16 length, big-endian | ciphertext | 16 bytes of tag         length counts ciphertext and tag
 *
 * An empty record is the end of the sender's data. A connection that ends without one was cut off.
 */
export class SecureStream extends Duplex {
  readonly #connection: Duplex;
  readonly #session: NoiseSession;
  readonly #buffer = new GrowingBuffer();
  #part: Part = 'length';
  #needed = LENGTH_BYTES;
  #ciphertext: Uint8Array = EMPTY;
  #isEndReceived = false;
  #settleWrite: ((error?: Error | null) => void) | undefined;

  constructor(connection: Duplex, session: NoiseSession) {
    super();
    this.#connection = connection;
    this.#session = session;
    connection
      .on('data', (chunk: Uint8Array) => this.#receive(chunk))
      .once('end', () => this.#assertEnded())
      .once('close', () => this.#onClose())
      .once('error', (error: Error) => this.destroy(error))
      .pause();
    if (connection.destroyed) this.destroy(prematureCloseError());
  }

  override _read(): void {
    this.#connection.resume();
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#connection.cork();
    let isWanted = true;
    for (let at = 0; at < chunk.length; at += MAX_PLAINTEXT) {
      isWanted = this.#send(chunk.subarray(at, at + MAX_PLAINTEXT));
    }
    this.#connection.uncork();
    if (isWanted) return done();
    this.#settleWrite = done;
    this.#connection.once('drain', () => this.#settle());
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#send(EMPTY);
    this.#connection.end(done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#buffer.clear();
    this.#connection.destroy();
    // An error is expensive to make: each has a stack trace.
    if (this.#settleWrite) this.#settle(error ?? prematureCloseError());
    done(error);
  }

  /** Calls back the write that waits for "drain". */
  #settle(error?: Error | null): void {
    const settle = this.#settleWrite;
    this.#settleWrite = undefined;
    settle?.(error);
  }

  #send(plaintext: Uint8Array): boolean {
    const [ciphertext, tag] = this.#session.send.encrypt(plaintext);
    const length = Buffer.allocUnsafe(LENGTH_BYTES);
    length.writeUInt16BE(ciphertext.length + tag.length);
    if (ciphertext.length <= MAX_COPIED_BYTES) return this.#connection.write(Buffer.concat([length, ciphertext, tag]));
    this.#connection.write(length);
    this.#connection.write(ciphertext);
    return this.#connection.write(tag);
  }

  #receive(chunk: Uint8Array): void {
    for (let rest = chunk; rest.length > 0 && !this.destroyed;) {
      if (this.#isEndReceived)
        return this.#fail(
          'ERR_SINGLETON_MALFORMED_MESSAGE',
          'Expected no data after the end of the encrypted stream, but more arrived. The peer may run another version',
        );
      const missing = this.#needed - this.#buffer.length;
      const part = this.#complete(rest.subarray(0, missing));
      rest = rest.subarray(missing);
      if (part) this.#onPart(part);
    }
  }

  /** Copies only what arrived in several pieces: a copy costs half as much as decryption. */
  #complete(piece: Uint8Array): Uint8Array | undefined {
    if (piece.length === this.#needed) return piece;
    this.#buffer.append(piece, this.#needed);
    return this.#buffer.length === this.#needed ? this.#buffer.take() : undefined;
  }

  #onPart(part: Uint8Array): void {
    switch (this.#part) {
      case 'length': {
        const length = new DataView(part.buffer, part.byteOffset).getUint16(0);
        if (length < TAG_BYTES) {
          return this.#fail(
            'ERR_SINGLETON_VERIFICATION_FAILED',
            `Expected a record of ${TAG_BYTES} bytes or more, got a shorter one, which no peer sends`,
          );
        }
        return this.#expect('ciphertext', length - TAG_BYTES);
      }
      case 'ciphertext':
        this.#ciphertext = part;
        return this.#expect('tag', TAG_BYTES);
      case 'tag':
        this.#expect('length', LENGTH_BYTES);
        return this.#onRecord(this.#ciphertext, part);
    }
  }

  #expect(part: Part, bytes: number): void {
    this.#part = part;
    this.#needed = bytes;
  }

  #onRecord(ciphertext: Uint8Array, tag: Uint8Array): void {
    const plaintext = this.#session.receive.tryDecrypt(ciphertext, tag);
    if (!plaintext) {
      this.#fail(
        'ERR_SINGLETON_VERIFICATION_FAILED',
        'Could not decrypt a record: it was changed, replayed or made for another connection. Another program may interfere',
      );
    } else if (plaintext.length === 0) {
      this.#isEndReceived = true;
      this.push(null);
    } else if (!this.push(plaintext)) {
      this.#connection.pause();
    }
  }

  #assertEnded(): void {
    if (this.#isEndReceived) return;
    this.#fail(
      'ERR_SINGLETON_TRUNCATED_MESSAGE',
      'The encrypted connection was cut off before its end. The peer may have exited',
    );
  }

  #onClose(): void {
    if (this.destroyed) return;
    this.#assertEnded();
    // A host that has answered ends the connection below.
    if (this.writableFinished || (this.#isEndReceived && this.writableLength === 0)) this.destroy();
    else this.destroy(prematureCloseError());
  }

  #fail(code: SingletonErrorCode, message: string): void {
    this.destroy(new SingletonError(code, `${message}.`));
  }
}

function prematureCloseError(): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_CONNECTION_FAILED',
    'The encrypted connection was closed before all data was written. The peer may have exited.',
  );
}
