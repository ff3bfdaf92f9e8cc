import type { Readable } from 'node:stream';
import { SingletonError } from '../core/errors.ts';
import { MAX_RAW_BYTES } from './messages.ts';

const EMPTY = Buffer.alloc(0);

/** Sends what comes into a launch, as far as its host has pulled it. Before that, nothing is read. */
export class InputPump {
  readonly #open: () => Readable;
  readonly #send: (bytes: Uint8Array) => void;
  readonly #fail: (error: SingletonError) => void;
  #source: Readable | undefined;
  #allowed = 0;
  #rest: Uint8Array = EMPTY;
  #isAtEnd = false;
  #isOver = false;

  /** `open` is asked for the source when it is needed; nothing at all is what is sent at its end. */
  constructor(open: () => Readable, send: (bytes: Uint8Array) => void, fail: (error: SingletonError) => void) {
    this.#open = open;
    this.#send = send;
    this.#fail = fail;
  }

  /** The host takes so many bytes more. */
  allow(bytes: number): void {
    this.#allowed += bytes;
    if (this.#source) this.#flow(this.#source);
    else this.#start(this.#open());
  }

  /** Lets go of the source. */
  end(): void {
    this.#source?.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onClose).pause();
    this.#isOver = true;
  }

  #start(source: Readable): void {
    this.#source = source;
    if (source.readableEnded || source.destroyed) this.#onEnd();
    else source.on('data', this.#onData).on('end', this.#onEnd).on('close', this.#onClose).on('error', ignore).resume();
  }

  readonly #onData = (chunk: Uint8Array | string): void => {
    this.#rest = Buffer.from(chunk);
    if (this.#source) this.#flow(this.#source);
  };

  /** Comes before the rest is sent, where the source has no more. */
  readonly #onEnd = (): void => {
    this.#isAtEnd = true;
    if (this.#source) this.#flow(this.#source);
  };

  readonly #onClose = (): void => {
    if (this.#isAtEnd) return;
    const message = 'Expected the end of stdin; it was closed before, so the host did not get all of it.';
    const cause = this.#source?.errored;
    this.#fail(new SingletonError('ERR_SINGLETON_CONNECTION_FAILED', message, cause ? { cause } : undefined));
  };

  #flow(source: Readable): void {
    while (this.#rest.length > 0 && this.#allowed > 0) {
      const part = this.#rest.subarray(0, Math.min(this.#allowed, MAX_RAW_BYTES));
      this.#allowed -= part.length;
      this.#rest = this.#rest.subarray(part.length);
      this.#send(part);
    }
    if (!this.#isAtEnd) source[this.#allowed === 0 ? 'pause' : 'resume']();
    else if (this.#rest.length === 0 && !this.#isOver) {
      this.#isOver = true;
      this.#send(EMPTY);
    }
  }
}

/** The `close` that follows tells it. */
function ignore(): void {}
