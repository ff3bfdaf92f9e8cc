import { Readable } from 'node:stream';
import { tryBytes } from '../../interface/bytes.ts';
import type { Terminal } from '../../interface/protocol.ts';
import type { FrameWriter } from '../frames.ts';
import { GrowingBuffer } from '../growing-buffer.ts';
import { MAX_RAW_BYTES } from '../messages.ts';
import { malformedError } from '../../interface/errors.ts';
import { TerminalOutput } from './terminal-output.ts';

/** Bytes of stdin in flight: enough to keep the client sending, and the most that a host buffers. */
const WINDOW = 262_144;

/** The stdin of the client, read on the host under credit-based flow control. */
export class RemoteStdin extends Readable {
  readonly #sendCredit: (bytes: number) => void;
  readonly #onChange: () => void;
  /** Received but not read yet. In a list of chunks, a single byte would cost 300 times its size. */
  readonly #buffer = new GrowingBuffer();
  #isReadPending = false;
  #credit = 0;
  #isEndReceived = false;

  /** `sendCredit` lets the client send more bytes. `onChange` is called when `isInUse` may have changed. */
  constructor(sendCredit: (bytes: number) => void, onChange: () => void) {
    super({ highWaterMark: 0 });
    this.#sendCredit = sendCredit;
    this.#onChange = onChange;
    this.on('error', () => {})
      .on('pause', this.#scheduleChange)
      .once('close', onChange);
  }

  /** Whether a listener reads it. */
  get isInUse(): boolean {
    const readers = this.listenerCount('data') + this.listenerCount('readable');
    return (readers > 0 || this.readableFlowing === true) && !this.readableEnded && !this.destroyed;
  }

  // Overridden, because a stream emits no "removeListener" event for the last listener of an event.
  override removeListener(...args: Parameters<Readable['removeListener']>): this {
    this.#scheduleChange();
    return super.removeListener(...args);
  }

  override removeAllListeners(...args: Parameters<Readable['removeAllListeners']>): this {
    this.#scheduleChange();
    return super.removeAllListeners(...args);
  }

  override off(...args: Parameters<Readable['off']>): this {
    return this.removeListener(...args);
  }

  /** No bytes mean the end. @throws SingletonError `ERR_SINGLETON_MALFORMED_MESSAGE` beyond the credit or the end */
  receive(bytes: Uint8Array): void {
    if (this.#isEndReceived) throw malformedError('no stdin after its end, but more arrived');
    if (bytes.length > this.#credit) throw malformedError('no more stdin than the window allows, but more arrived');
    this.#credit -= bytes.length;
    this.#isEndReceived = bytes.length === 0;
    if (this.destroyed) return;
    this.#buffer.append(bytes, WINDOW);
    // Later: what a listener of "data" throws is no mistake of the client.
    process.nextTick(() => this.#pushBuffered());
  }

  override _read(): void {
    this.#isReadPending = true;
    this.#pushBuffered();
    const bytes = WINDOW - this.#credit - this.#buffer.length;
    if (this.#isEndReceived || bytes < WINDOW / 2) return;
    this.#credit += bytes;
    this.#sendCredit(bytes);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#buffer.clear();
    done(error);
  }

  /** On nextTick: the listener is only removed after this call. */
  readonly #scheduleChange = (): void => process.nextTick(this.#onChange);

  #pushBuffered(): void {
    if (!this.#isReadPending || this.destroyed) return;
    if (this.#buffer.length > 0) {
      this.#isReadPending = false;
      this.push(this.#buffer.take());
    } else if (this.#isEndReceived) {
      this.#isReadPending = false;
      this.push(null);
    }
  }
}

/** An output of the client, written on the host. A slow reader on the client slows the writer on the host. */
export class RemoteOutput extends TerminalOutput {
  readonly #writer: FrameWriter;
  readonly #kind: number;
  readonly #onChange: () => void;
  readonly #onLate: () => void;
  /** The other output of the client: what was written to it before stays before. */
  other: Pick<RemoteOutput, 'uncork'> | undefined;
  #sources = 0;
  #settleWrite: ((error?: Error | null) => void) | undefined;

  /** `onChange` is called when `isInUse` or `isBusy` may have changed, `onLate` when something is written after the end. */
  constructor(
    writer: FrameWriter,
    kind: number,
    terminal: Terminal | undefined,
    onChange: () => void,
    onLate: () => void,
  ) {
    super(terminal);
    this.#writer = writer;
    this.#kind = kind;
    this.#onChange = onChange;
    this.#onLate = onLate;
    // Without this, a client that disconnects would raise an uncaught exception. A pipe reports the error by itself.
    this.on('error', () => {});
    this.on('pipe', () => (this.#sources += 1)).on('unpipe', () => {
      this.#sources -= 1;
      this.#scheduleChange();
    });
    this.once('close', onChange);
  }

  /** Whether a stream is piped into it, or a writer waits for "drain". */
  get isInUse(): boolean {
    return !this.writableEnded && (this.#sources > 0 || (this.writableNeedDrain && this.listenerCount('drain') > 0));
  }

  /** Whether output is not sent yet, or its end is pending. */
  get isBusy(): boolean {
    return this.writableLength > 0 || (this.writableEnded && !this.closed);
  }

  // `any`: the base class has overloads, and checks what it is given.
  override write(chunk: any, ...rest: any[]): boolean {
    if (this.writableEnded) this.#onLate();
    if (this.writableCorked === 0) this.#corkForOneTurn();
    return super.write(chunk, ...rest);
  }

  /** What is written in one turn leaves as one frame. */
  #corkForOneTurn(): void {
    this.other?.uncork();
    this.cork();
    process.nextTick(() => this.uncork());
  }

  override end(...args: any[]): this {
    if (this.writableEnded && args.length > 0) this.#onLate();
    return super.end(...args);
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#settleWrite = done;
    // The bytes that it has, not those that a "length" of its own says.
    this.#send(tryBytes(chunk) ?? chunk);
  }

  override _writev(chunks: readonly { readonly chunk: Uint8Array }[], done: (error?: Error | null) => void): void {
    const bytes = chunks.map(({ chunk }) => tryBytes(chunk) ?? chunk);
    this.#settleWrite = done;
    this.#send(Buffer.concat(bytes));
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
    this.#scheduleChange();
  }

  /** On nextTick: listeners of "unpipe" and "drain" run first. */
  #scheduleChange(): void {
    process.nextTick(this.#onChange);
  }
}
