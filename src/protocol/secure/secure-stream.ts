import { Duplex } from 'node:stream';
import { SingletonError, type SingletonErrorCode } from '../../interface/errors.ts';
import { GrowingBuffer } from '../growing-buffer.ts';
import { MAX_MESSAGE_BYTES, type Session, TAG_BYTES } from './noise.ts';

const LENGTH_BYTES = 2;
const MAX_PLAINTEXT = MAX_MESSAGE_BYTES - TAG_BYTES;
const EMPTY = Buffer.alloc(0);

/** Of a record. */
type Part = 'length' | 'ciphertext' | 'tag';

/**
 * A `Duplex` over a `Duplex`: what is written arrives at the other side unread and unchanged, or as an error.
 *
 *     u16 length, big-endian | ciphertext | 16 bytes of tag         length counts ciphertext and tag
 *
 * An empty record is the sender's end; a stream that ends without one was cut off.
 */
export class SecureStream extends Duplex {
  readonly #connection: Duplex;
  readonly #session: Session;
  readonly #waiting = new GrowingBuffer();
  #part: Part = 'length';
  #wanted = LENGTH_BYTES;
  #ciphertext: Uint8Array = EMPTY;
  #hasEnded = false;
  #settleWrite: ((error?: Error | null) => void) | undefined;

  constructor(connection: Duplex, session: Session) {
    super();
    this.#connection = connection;
    this.#session = session;
    connection
      .on('data', (chunk: Uint8Array) => this.#receive(chunk))
      .once('end', () => this.#assertEnded())
      .once('close', () => this.#closed())
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
    this.#waiting.clear();
    this.#connection.destroy();
    this.#settle(error ?? prematureCloseError());
    done(error);
  }

  /** Ends the wait of a write for the connection. */
  #settle(error?: Error | null): void {
    const settle = this.#settleWrite;
    this.#settleWrite = undefined;
    settle?.(error);
  }

  #send(plaintext: Uint8Array): boolean {
    const [ciphertext, tag] = this.#session.send.encrypt(plaintext);
    const length = Buffer.allocUnsafe(LENGTH_BYTES);
    length.writeUInt16BE(ciphertext.length + tag.length);
    this.#connection.write(length);
    this.#connection.write(ciphertext);
    return this.#connection.write(tag);
  }

  #receive(chunk: Uint8Array): void {
    for (let rest = chunk; rest.length > 0 && !this.destroyed;) {
      if (this.#hasEnded)
        return this.#fail('ERR_SINGLETON_MALFORMED_MESSAGE', 'Expected nothing after the end; more came');
      const missing = this.#wanted - this.#waiting.length;
      const part = this.#tryTake(rest.subarray(0, missing));
      rest = rest.subarray(missing);
      if (part) this.#takePart(part);
    }
  }

  /** A part that came in one piece is not copied, which would cost as much as half of its decryption. */
  #tryTake(piece: Uint8Array): Uint8Array | undefined {
    if (piece.length === this.#wanted) return piece;
    this.#waiting.append(piece, this.#wanted);
    return this.#waiting.length === this.#wanted ? this.#waiting.take() : undefined;
  }

  #takePart(part: Uint8Array): void {
    switch (this.#part) {
      case 'length': {
        const length = new DataView(part.buffer, part.byteOffset).getUint16(0);
        if (length < TAG_BYTES) {
          return this.#fail(
            'ERR_SINGLETON_VERIFICATION_FAILED',
            `Expected a record of ${TAG_BYTES} bytes or more; a shorter one came, made by somebody else`,
          );
        }
        return this.#await('ciphertext', length - TAG_BYTES);
      }
      case 'ciphertext':
        this.#ciphertext = part;
        return this.#await('tag', TAG_BYTES);
      case 'tag':
        this.#await('length', LENGTH_BYTES);
        return this.#takeRecord(this.#ciphertext, part);
    }
  }

  #await(part: Part, bytes: number): void {
    this.#part = part;
    this.#wanted = bytes;
  }

  #takeRecord(ciphertext: Uint8Array, tag: Uint8Array): void {
    const plaintext = this.#session.receive.tryDecrypt(ciphertext, tag);
    if (!plaintext) {
      this.#fail(
        'ERR_SINGLETON_VERIFICATION_FAILED',
        'Expected a record that was encrypted for this connection; what came was changed, replayed or made by somebody else',
      );
    } else if (plaintext.length === 0) {
      this.#hasEnded = true;
      this.push(null);
    } else if (!this.push(plaintext)) {
      this.#connection.pause();
    }
  }

  #assertEnded(): void {
    if (this.#hasEnded) return;
    this.#fail(
      'ERR_SINGLETON_TRUNCATED_MESSAGE',
      'Expected the end of the channel; the connection broke off before it',
    );
  }

  #closed(): void {
    this.#assertEnded();
    if (this.writableFinished) this.destroy();
    else this.destroy(prematureCloseError());
  }

  #fail(code: SingletonErrorCode, message: string): void {
    this.destroy(new SingletonError(code, `${message}.`));
  }
}

function prematureCloseError(): SingletonError {
  return new SingletonError('ERR_SINGLETON_CONNECTION_FAILED', 'The channel was closed before all was written.');
}
