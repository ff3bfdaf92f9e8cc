import type { Duplex } from 'node:stream';
import type { Attended, Decoder, Dialogue, Terms } from '../interface/codec.ts';
import { SingletonError } from '../interface/errors.ts';
import { FrameWriter } from './frames.ts';
import { encodeExit, encodePull, encodeRefusal, type Frame, KIND, malformed, MAX_RAW_BYTES } from './messages.ts';
import { Input, Output } from './remote-stdio.ts';
import { type Carrier, requireSize, serialize } from './serializer.ts';

const NOTHING = new Uint8Array(0);
/**
 * Milliseconds from when a stream that a listener left in use is used no more, to the end of the conversation: a child
 * process whose output was piped says how it ended a moment later.
 */
const LINGER = 200;

/** The host's side of what follows the receipt of a launch that waits. */
export class HostDialogue<R> implements Dialogue<R> {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly stdin: Input;
  readonly ended: Promise<void>;
  readonly #carrier: Carrier<unknown, R>;
  readonly #terms: Terms;
  readonly #writer: FrameWriter;
  readonly #decoder: Decoder<Frame>;
  readonly #gone = new AbortController();
  #attended: Attended = { given: 0, atWork: 0, hasFailed: false, isComplete: false, isBeingGiven: false };
  #lastWord: Frame | undefined;
  #wasInUse = false;
  #isOpen = false;
  #isEnding = false;
  #isOver = false;
  #linger: NodeJS.Timeout | undefined;
  #end: (fault?: SingletonError) => void = () => {};

  constructor(carrier: Carrier<unknown, R>, stream: Duplex, terms: Terms) {
    this.#carrier = carrier;
    this.#terms = terms;
    this.#writer = new FrameWriter(stream, carrier.frames);
    this.#decoder = carrier.frames.createDecoder({ maxMessageBytes: 1 + MAX_RAW_BYTES });
    this.stdout = new Output(this.#writer, KIND.stdout, this.#proceed);
    this.stderr = new Output(this.#writer, KIND.stderr, this.#proceed);
    this.stdin = new Input((bytes) => this.#writer.write(encodePull(bytes)), this.#proceed);
    this.ended = new Promise((resolve, reject) => {
      this.#end = (fault) => (fault ? reject(fault) : resolve());
    });
    this.ended.catch(() => {});
  }

  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  reply(value: R): boolean {
    if (this.#isSaid) return false;
    const { name, reply: serializer } = this.#carrier;
    // A copy: it may wait for the output, and the serializer may have given the value's own bytes.
    const frame = { kind: KIND.reply, body: new Uint8Array(serialize(name, serializer, value)) };
    requireSize(frame, this.#terms.maxMessageBytes);
    return this.#say(frame);
  }

  exit(code: number): boolean {
    return this.#say(encodeExit(code));
  }

  attended(by: Attended): void {
    this.#attended = by;
    this.#proceed();
  }

  /** The receipt is written: what was said waits no longer. */
  open(): void {
    this.#isOpen = true;
    this.#writer.open();
    this.#proceed();
  }

  /** What the launch sends behind its launch. */
  push(chunk: Uint8Array): void {
    if (this.#isOver) return;
    try {
      for (const { kind, body } of this.#decoder.push(chunk)) {
        if (kind !== KIND.stdin) throw malformed(`stdin (kind ${KIND.stdin}), got a frame of kind ${kind}`);
        this.stdin.accept(body);
      }
      // What is wrong behind a whole frame is told by the next call.
      this.#decoder.push(NOTHING);
    } catch (error) {
      if (!(error instanceof SingletonError)) throw error;
      this.#writer.write(encodeRefusal('ERR_SINGLETON_MALFORMED_MESSAGE'));
      this.lose(error);
    }
  }

  /** The launch has gone, by itself or for a fault. */
  lose(fault?: SingletonError): void {
    if (this.#isOver) return;
    if (fault) this.#end(fault);
    this.#breakOff(fault ?? gone());
  }

  /** The host has no time for it any more, but for a last word that waits for nothing. */
  dismiss(): void {
    if (this.#isOver) return;
    const isFlushed = this.stdout.writableLength + this.stderr.writableLength === 0;
    const lastWord = isFlushed ? this.#lastWord : undefined;
    this.#writer.write(lastWord ?? encodeRefusal('ERR_SINGLETON_RELEASED'));
    this.#breakOff(released());
  }

  get #isSaid(): boolean {
    return this.#lastWord !== undefined || this.#isOver;
  }

  #say(frame: Frame): boolean {
    if (this.#isSaid) return false;
    this.#lastWord = frame;
    this.#proceed();
    return true;
  }

  /**
   * Ends the conversation when it is time. The last word of an only listener is sent at once; of several, when all have
   * settled, for the others may still write. Without one: when all have settled and no stream is in use.
   */
  readonly #proceed = (): void => {
    if (!this.#isOpen || this.#isEnding || this.#isOver) return;
    const { given, atWork, hasFailed, isComplete, isBeingGiven } = this.#attended;
    if (isBeingGiven) return;
    if (this.#lastWord) {
      if (atWork === 0 || given === 1) this.#finish(this.#lastWord);
    } else if (isComplete && atWork === 0) {
      if (hasFailed) this.#say(encodeRefusal('ERR_SINGLETON_OBSERVER_FAILED'));
      else this.#waitForStreams();
    }
  };

  #waitForStreams(): void {
    clearTimeout(this.#linger);
    if (this.#isInUse()) return;
    // Later, because a callback of a stream that has just ended may say the last word, or use another.
    this.#linger = setTimeout(() => this.#isInUse() || this.exit(0), this.#wasInUse ? LINGER : 0);
  }

  #isInUse(): boolean {
    const isInUse = [this.stdout, this.stderr, this.stdin].some((stream) => stream.isInUse);
    this.#wasInUse ||= isInUse;
    return isInUse || this.stdout.isBusy || this.stderr.isBusy;
  }

  /** The last word goes behind all output. */
  #finish(frame: Frame): void {
    this.#isEnding = true;
    const outputs = [this.stdout, this.stderr];
    const onClose = (): void => {
      if (this.#isOver || !outputs.every(({ closed }) => closed)) return;
      this.#isOver = true;
      clearTimeout(this.#linger);
      this.stdin.destroy();
      this.#writer.write(frame);
      this.#end();
    };
    for (const output of outputs) output.once('close', onClose).end();
    onClose();
  }

  #breakOff(error: SingletonError): void {
    this.#isOver = true;
    clearTimeout(this.#linger);
    for (const stream of [this.stdout, this.stderr, this.stdin]) stream.destroy(error);
    this.#end();
    this.#gone.abort(error);
  }
}

function gone(): SingletonError {
  return new SingletonError('ERR_SINGLETON_CONNECTION_FAILED', 'A launch that waited for its answer has gone.');
}

function released(): SingletonError {
  return new SingletonError('ERR_SINGLETON_RELEASED', 'A launch got no answer: the host gave up its place.');
}
