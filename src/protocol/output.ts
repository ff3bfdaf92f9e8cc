import { Writable } from 'node:stream';
import type { FrameWriter } from './frame-writer.ts';
import { MAX_RAW_BYTES } from './messages.ts';

/** What a host writes to an output of a launch. A slow reader there slows the writer here. */
export class Output extends Writable {
  readonly #writer: FrameWriter;
  readonly #kind: number;
  readonly #changed: () => void;
  #sources = 0;
  #settleWrite: ((error?: Error | null) => void) | undefined;

  /** `changed` is called when it may be in use, or busy, no more. */
  constructor(writer: FrameWriter, kind: number, changed: () => void) {
    super();
    this.#writer = writer;
    this.#kind = kind;
    this.#changed = changed;
    // Who pipes into it hears of an error; who does not must not be hurt by a launch that went away.
    this.on('error', () => {});
    this.on('pipe', () => (this.#sources += 1)).on('unpipe', () => {
      this.#sources -= 1;
      this.#changeSoon();
    });
    this.once('close', changed);
  }

  /** Whether something is piped into it, or somebody waits to write more. */
  get isInUse(): boolean {
    return !this.writableEnded && (this.#sources > 0 || (this.writableNeedDrain && this.listenerCount('drain') > 0));
  }

  /** Whether something of it is not sent yet, or its end is not told. */
  get isBusy(): boolean {
    return this.writableLength > 0 || (this.writableEnded && !this.closed);
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#settleWrite = done;
    this.#send(chunk);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#settle(error);
    done(error);
  }

  #send(rest: Uint8Array): void {
    if (this.destroyed) return;
    if (rest.length === 0) return this.#settle();
    const body = rest.subarray(0, MAX_RAW_BYTES);
    this.#writer.write({ kind: this.#kind, body }, () => this.#send(rest.subarray(body.length)));
  }

  #settle(error?: Error | null): void {
    const settle = this.#settleWrite;
    this.#settleWrite = undefined;
    settle?.(error);
    this.#changeSoon();
  }

  /** When who has left is gone, and who waited to write more knows. */
  #changeSoon(): void {
    process.nextTick(this.#changed);
  }
}
