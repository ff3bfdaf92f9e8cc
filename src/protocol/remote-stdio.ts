import { Readable, Writable } from 'node:stream';
import type { FrameWriter } from './frames.ts';
import { GrowingBuffer } from './growing-buffer.ts';
import { malformedError, MAX_RAW_BYTES } from './messages.ts';
/** How much may be on its way: enough to keep a launch sending, and all that a host that stops reading must hold. */
const WINDOW = 262_144;

/** What comes into a launch, read by its host: the launch sends what was pulled, and no more. */
export class RemoteStdin extends Readable {
  readonly #sendCredit: (bytes: number) => void;
  readonly #onChange: () => void;
  /** What came and nobody asked for: as chunks of their own, single bytes would cost three hundred times as much. */
  readonly #waiting = new GrowingBuffer();
  #isWanted = false;
  #credit = 0;
  #hasEnded = false;

  /** `pull` asks the launch for so many bytes more; `changed` is called when it is in use no more. */
  constructor(pull: (bytes: number) => void, changed: () => void) {
    super({ highWaterMark: 0 });
    this.#sendCredit = pull;
    this.#onChange = changed;
    this.on('error', () => {})
      .on('pause', this.#changeSoon)
      .once('close', changed);
  }

  /** Whether somebody reads it. */
  get isInUse(): boolean {
    const readers = this.listenerCount('data') + this.listenerCount('readable');
    return (readers > 0 || this.readableFlowing === true) && !this.readableEnded && !this.destroyed;
  }

  // The event of this name does not come for the last listener of a stream.
  override removeListener(...which: Parameters<Readable['removeListener']>): this {
    this.#changeSoon();
    return super.removeListener(...which);
  }

  override removeAllListeners(...which: Parameters<Readable['removeAllListeners']>): this {
    this.#changeSoon();
    return super.removeAllListeners(...which);
  }

  override off(...which: Parameters<Readable['off']>): this {
    return this.removeListener(...which);
  }

  /** What came; nothing is the end. @throws SingletonError `ERR_SINGLETON_MALFORMED_MESSAGE` for what was not pulled */
  receive(bytes: Uint8Array): void {
    if (this.#hasEnded) throw malformedError('nothing after the end of stdin; more came');
    if (bytes.length > this.#credit) throw malformedError('no more of stdin than was pulled; more came');
    this.#credit -= bytes.length;
    this.#hasEnded = bytes.length === 0;
    if (this.destroyed) return;
    this.#waiting.append(bytes, WINDOW);
    this.#pushBuffered();
  }

  override _read(): void {
    this.#isWanted = true;
    this.#pushBuffered();
    const bytes = WINDOW - this.#credit - this.#waiting.length;
    if (this.#hasEnded || bytes < WINDOW / 2) return;
    this.#credit += bytes;
    this.#sendCredit(bytes);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#waiting.clear();
    done(error);
  }

  /** A tick later, who leaves has left. */
  readonly #changeSoon = (): void => process.nextTick(this.#onChange);

  #pushBuffered(): void {
    if (!this.#isWanted) return;
    if (this.#waiting.length > 0) {
      this.#isWanted = false;
      this.push(this.#waiting.take());
    } else if (this.#hasEnded) {
      this.#isWanted = false;
      this.push(null);
    }
  }
}

/** What a host writes to an output of a launch. A slow reader there slows the writer here. */
export class RemoteOutput extends Writable {
  readonly #writer: FrameWriter;
  readonly #kind: number;
  readonly #onChange: () => void;
  #sources = 0;
  #settleWrite: ((error?: Error | null) => void) | undefined;

  /** `changed` is called when it may be in use, or busy, no more. */
  constructor(writer: FrameWriter, kind: number, changed: () => void) {
    super();
    this.#writer = writer;
    this.#kind = kind;
    this.#onChange = changed;
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
    process.nextTick(this.#onChange);
  }
}
