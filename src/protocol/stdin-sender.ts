import type { Readable } from 'node:stream';
import { SingletonError } from '../interface/errors.ts';
import { MAX_RAW_BYTES } from './messages.ts';

const EMPTY = Buffer.alloc(0);
const NOT_ALONE = 'Expected to be the only reader of stdin; somebody else reads it too';

/** Sends what comes into a launch, as far as its host has pulled it, and no faster than the connection takes it. */
export class StdinSender {
  readonly #open: () => Readable;
  readonly #send: (bytes: Uint8Array, sent: () => void) => void;
  readonly #fail: (error: SingletonError) => void;
  #source: Readable | undefined;
  #credit = 0;
  #rest: Uint8Array = EMPTY;
  #isSending = false;
  #isAtEnd = false;
  #isEnded = false;

  /**
   * `open` is asked for the source at the first pull. `send` calls back when the connection takes more; nothing at all is
   * what it is given at the end.
   */
  constructor(
    open: () => Readable,
    send: (bytes: Uint8Array, sent: () => void) => void,
    fail: (error: SingletonError) => void,
  ) {
    this.#open = open;
    this.#send = send;
    this.#fail = fail;
  }

  /** The host takes so many bytes more. */
  grant(bytes: number): void {
    if (this.#isEnded) return;
    this.#credit += bytes;
    if (this.#source) this.#flow(this.#source);
    else this.#start(this.#open());
  }

  /** Lets go of the source; what was read and not sent goes back. */
  end(): void {
    const source = this.#source;
    this.#isEnded = true;
    if (!source) return;
    source.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onClose).off('error', ignore);
    source[source.listenerCount('data') > 0 ? 'resume' : 'pause']();
    if (this.#rest.length > 0 && source.readable) source.unshift(this.#rest);
  }

  #start(source: Readable): void {
    if (source.listenerCount('data') > 0) return this.#break(NOT_ALONE);
    this.#source = source;
    if (source.readableEnded) this.#onEnd();
    else if (source.destroyed) this.#onClose();
    else source.on('data', this.#onData).on('end', this.#onEnd).on('close', this.#onClose).on('error', ignore).resume();
  }

  readonly #onData = (chunk: unknown): void => {
    if (typeof chunk !== 'string' && !(chunk instanceof Uint8Array)) {
      return this.#break(`Expected a stdin of bytes or strings, got a value of type ${typeof chunk}`);
    }
    // It was paused: somebody else has made it flow, and it can go no faster for one of two.
    if (this.#rest.length > 0) {
      // The other one has it.
      this.#rest = EMPTY;
      return this.#break(NOT_ALONE);
    }
    this.#rest = Buffer.from(chunk);
    if (this.#source) this.#flow(this.#source);
    return undefined;
  };

  /** Comes before the rest is sent, where the source has no more. */
  readonly #onEnd = (): void => {
    this.#isAtEnd = true;
    if (this.#source) this.#flow(this.#source);
  };

  readonly #onClose = (): void => {
    if (!this.#isAtEnd)
      this.#break('Expected the end of stdin; it was closed before, so the host did not get all of it');
  };

  #break(message: string): void {
    // No end is sent: the host would take what it has for all of it.
    this.#isEnded = true;
    const cause = this.#source?.errored;
    this.#fail(new SingletonError('ERR_SINGLETON_CONNECTION_FAILED', `${message}.`, cause ? { cause } : undefined));
  }

  #flow(source: Readable): void {
    while (this.#rest.length > 0 && this.#credit > 0 && !this.#isSending && !this.#isEnded) {
      const part = this.#rest.subarray(0, Math.min(this.#credit, MAX_RAW_BYTES));
      this.#credit -= part.length;
      this.#rest = this.#rest.subarray(part.length);
      this.#isSending = true;
      let isWithin = true;
      this.#send(part, () => {
        this.#isSending = false;
        if (!isWithin) this.#flow(source);
      });
      isWithin = false;
    }
    if (this.#isEnded) return;
    if (!this.#isAtEnd) source[this.#credit === 0 || this.#isSending ? 'pause' : 'resume']();
    else if (this.#rest.length === 0) {
      this.#isEnded = true;
      this.#send(EMPTY, ignore);
    }
  }
}

/** What follows tells it. */
function ignore(): void {}
