import type { Readable } from 'node:stream';
import { tryBytes } from '../../interface/bytes.ts';
import { SingletonError } from '../../interface/errors.ts';
import { GrowingBuffer } from '../growing-buffer.ts';
import { MAX_RAW_BYTES } from '../messages.ts';

const EMPTY = Buffer.alloc(0);
const OTHER_READER =
  'Expected to be the only reader of stdin, but the program reads it too. Remove the other reader, or set "stdin"';

/** Sends the stdin of the client as far as the host has granted credit, and no faster than the connection takes it. */
export class StdinSender {
  readonly #open: () => Readable;
  readonly #send: (bytes: Uint8Array, sent: () => void) => void;
  readonly #onError: (error: SingletonError) => void;
  #source: Readable | undefined;
  #credit = 0;
  /** What was read in this turn. It leaves as one frame. */
  readonly #turn = new GrowingBuffer();
  /** What was read before, and could not be sent yet. */
  #unsent: Uint8Array = EMPTY;
  #isSending = false;
  #isAtEnd = false;
  #isEnded = false;

  /**
   * `open` returns the source; it is called at the first window update. `send` calls back when the connection takes
   * more; it is called without bytes at the end.
   */
  constructor(
    open: () => Readable,
    send: (bytes: Uint8Array, sent: () => void) => void,
    onError: (error: SingletonError) => void,
  ) {
    this.#open = open;
    this.#send = send;
    this.#onError = onError;
  }

  /** Allows this many bytes more. 0 is no request for stdin. */
  grant(bytes: number): void {
    if (this.#isEnded || bytes === 0) return;
    this.#credit += bytes;
    if (this.#source) this.#flow();
    else this.#start(this.#open());
  }

  /** Detaches from the source and puts back what was read but not sent. */
  end(): void {
    const source = this.#source;
    this.#isEnded = true;
    if (!source) return;
    source.off('newListener', this.#onNewListener);
    source.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onClose).off('error', ignore);
    source[source.listenerCount('data') > 0 ? 'resume' : 'pause']();
    this.#endTurn();
    if (this.#unsent.length === 0 || !source.readable) return;
    const encoding = source.readableEncoding;
    source.unshift(encoding ? Buffer.from(this.#unsent).toString(encoding) : this.#unsent, encoding ?? undefined);
  }

  #start(source: Readable): void {
    if (source.listenerCount('data') + source.listenerCount('readable') > 0) return this.#stop(OTHER_READER);
    this.#source = source;
    if (source.readableEnded) return this.#onEnd();
    if (source.destroyed) return this.#onClose();
    source.on('data', this.#onData).on('end', this.#onEnd).on('close', this.#onClose).on('error', ignore).resume();
    source.on('newListener', this.#onNewListener);
    return undefined;
  }

  /** A stream with a listener of "readable" emits no "data" for anybody until that listener reads. */
  readonly #onNewListener = (event: string | symbol): void => {
    if (event === 'readable') this.#stop(OTHER_READER);
  };

  readonly #onData = (chunk: unknown): void => {
    // A stream with an encoding emits its bytes as text.
    const bytes =
      typeof chunk === 'string' ? Buffer.from(chunk, this.#source?.readableEncoding ?? 'utf8') : tryBytes(chunk);
    if (!bytes) {
      return this.#stop(`Expected stdin to emit bytes or strings, got a value of type ${typeof chunk}`);
    }
    // We paused the source, so another reader has resumed it. A stream cannot pause for one of two readers.
    if (this.#unsent.length > 0) {
      // The other reader has received these bytes: do not put them back.
      this.#unsent = EMPTY;
      return this.#stop(OTHER_READER);
    }
    if (this.#turn.length === 0) process.nextTick(this.#flow);
    this.#turn.append(bytes, MAX_RAW_BYTES);
    // Pauses the source at once, also if another reader has resumed it.
    if (this.#isSending || this.#turn.length >= Math.min(this.#credit, MAX_RAW_BYTES)) this.#flow();
    return undefined;
  };

  /** May be called before all bytes are sent. */
  readonly #onEnd = (): void => {
    this.#isAtEnd = true;
    this.#flow();
  };

  readonly #onClose = (): void => {
    if (!this.#isAtEnd) this.#stop('stdin was closed before its end, so the host did not receive all of it');
  };

  #stop(message: string): void {
    // Send no end: the host would take an incomplete stdin for a complete one.
    this.#isEnded = true;
    const cause = this.#source?.errored;
    this.#onError(new SingletonError('ERR_SINGLETON_CONNECTION_FAILED', `${message}.`, cause ? { cause } : undefined));
  }

  readonly #flow = (): void => {
    this.#endTurn();
    while (this.#unsent.length > 0 && this.#credit > 0 && !this.#isSending && !this.#isEnded) {
      const part = this.#unsent.subarray(0, Math.min(this.#credit, MAX_RAW_BYTES));
      this.#credit -= part.length;
      this.#unsent = this.#unsent.subarray(part.length);
      this.#isSending = true;
      let isSynchronous = true;
      this.#send(part, () => {
        this.#isSending = false;
        if (!isSynchronous) this.#flow();
      });
      isSynchronous = false;
    }
    if (this.#isEnded) return;
    if (!this.#isAtEnd) this.#source?.[this.#credit === 0 || this.#isSending ? 'pause' : 'resume']();
    else if (this.#unsent.length === 0) {
      this.#isEnded = true;
      this.#send(EMPTY, ignore);
    }
  };

  /** The source is paused while something is unsent, so what was read in this turn follows nothing. */
  #endTurn(): void {
    if (this.#turn.length > 0) this.#unsent = this.#turn.take();
  }
}

function ignore(): void {}
