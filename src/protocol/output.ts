import { Writable } from 'node:stream';
import type { FrameWriter } from './frame-writer.ts';
import { MAX_RAW_BYTES } from './messages.ts';

/** What a host writes to an output of a launch. A slow reader there slows the writer here. */
export class Output extends Writable {
  readonly #writer: FrameWriter;
  readonly #kind: number;
  #settleWrite: ((error?: Error | null) => void) | undefined;

  constructor(writer: FrameWriter, kind: number) {
    super();
    this.#writer = writer;
    this.#kind = kind;
    // Who pipes into it hears of an error; who does not must not be hurt by a launch that went away.
    this.on('error', () => {});
  }

  /** Whether something is piped into it. */
  get isInUse(): boolean {
    return !this.writableEnded && this.listenerCount('close') > 0;
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
  }
}
