import type { Duplex } from 'node:stream';
import type { Attended, Decoder, Session, ProtocolOptions } from '../interface/codec.ts';
import { SingletonError } from '../interface/errors.ts';
import { FrameWriter } from './frames.ts';
import {
  encodeExit,
  encodeWindowUpdate,
  encodeRefusal,
  type Frame,
  KIND,
  malformedError,
  MAX_RAW_BYTES,
} from './messages.ts';
import { RemoteStdin, RemoteOutput } from './remote-stdio.ts';
import { type WireFormat, requireSize, serialize } from './serializer.ts';

const NOTHING = new Uint8Array(0);
/**
 * Milliseconds from when a stream that a listener left in use is used no more, to the end of the conversation: a child
 * process whose output was piped says how it ended a moment later.
 */
const AUTO_EXIT_DELAY = 200;

/** The host's side of what follows the receipt of a launch that waits. */
export class HostSession<R> implements Session<R> {
  readonly stdout: RemoteOutput;
  readonly stderr: RemoteOutput;
  readonly stdin: RemoteStdin;
  readonly finished: Promise<void>;
  readonly #carrier: WireFormat<unknown, R>;
  readonly #options: ProtocolOptions;
  readonly #writer: FrameWriter;
  readonly #decoder: Decoder<Frame>;
  readonly #gone = new AbortController();
  #attended: Attended = { called: 0, pending: 0, hasFailed: false, allCalled: false, isCalling: false };
  #result: Frame | undefined;
  #wasInUse = false;
  #isOpen = false;
  #isEnding = false;
  #isEnded = false;
  #autoExitTimer: NodeJS.Timeout | undefined;
  #end: (fault?: SingletonError) => void = () => {};

  constructor(carrier: WireFormat<unknown, R>, stream: Duplex, terms: ProtocolOptions) {
    this.#carrier = carrier;
    this.#options = terms;
    this.#writer = new FrameWriter(stream, carrier.frames);
    this.#decoder = carrier.frames.createDecoder({ maxMessageBytes: 1 + MAX_RAW_BYTES });
    this.stdout = new RemoteOutput(this.#writer, KIND.stdout, this.#advance);
    this.stderr = new RemoteOutput(this.#writer, KIND.stderr, this.#advance);
    this.stdin = new RemoteStdin((bytes) => this.#writer.write(encodeWindowUpdate(bytes)), this.#advance);
    this.finished = new Promise((resolve, reject) => {
      this.#end = (fault) => (fault ? reject(fault) : resolve());
    });
    this.finished.catch(() => {});
  }

  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  reply(value: R): boolean {
    if (this.#isSettled) return false;
    const { name, reply: serializer } = this.#carrier;
    // A copy: it may wait for the output, and the serializer may have given the value's own bytes.
    const frame = { kind: KIND.reply, body: new Uint8Array(serialize(name, serializer, value)) };
    requireSize(frame, this.#options.maxMessageBytes);
    return this.#sendResult(frame);
  }

  exit(code: number): boolean {
    return this.#sendResult(encodeExit(code));
  }

  attended(by: Attended): void {
    this.#attended = by;
    this.#advance();
  }

  /** The receipt is written: what was said waits no longer. */
  open(): void {
    this.#isOpen = true;
    this.#writer.uncork();
    this.#advance();
  }

  /** What the launch sends behind its launch. */
  push(chunk: Uint8Array): void {
    if (this.#isEnded) return;
    try {
      for (const { kind, body } of this.#decoder.push(chunk)) {
        if (kind !== KIND.stdin) throw malformedError(`stdin (kind ${KIND.stdin}), got a frame of kind ${kind}`);
        this.stdin.receive(body);
      }
      // What is wrong behind a whole frame is told by the next call.
      this.#decoder.push(NOTHING);
    } catch (error) {
      if (!(error instanceof SingletonError)) throw error;
      this.#writer.write(encodeRefusal('ERR_SINGLETON_MALFORMED_MESSAGE'));
      this.clientGone(error);
    }
  }

  /** The launch has gone, by itself or for a fault. */
  clientGone(fault?: SingletonError): void {
    if (this.#isEnded) return;
    if (fault) this.#end(fault);
    this.#destroy(fault ?? clientGoneError());
  }

  /** The host has no time for it any more, but for a last word that waits for nothing. */
  abort(): void {
    if (this.#isEnded) return;
    const isFlushed = this.stdout.writableLength + this.stderr.writableLength === 0;
    const lastWord = isFlushed ? this.#result : undefined;
    this.#writer.write(lastWord ?? encodeRefusal('ERR_SINGLETON_RELEASED'));
    this.#destroy(releasedError());
  }

  get #isSettled(): boolean {
    return this.#result !== undefined || this.#isEnded;
  }

  #sendResult(frame: Frame): boolean {
    if (this.#isSettled) return false;
    this.#result = frame;
    this.#advance();
    return true;
  }

  /**
   * Ends the conversation when it is time. The last word of an only listener is sent at once; of several, when all have
   * settled, for the others may still write. Without one: when all have settled and no stream is in use.
   */
  readonly #advance = (): void => {
    if (!this.#isOpen || this.#isEnding || this.#isEnded) return;
    const { called, pending, hasFailed, allCalled, isCalling } = this.#attended;
    if (isCalling) return;
    if (this.#result) {
      if (pending === 0 || called === 1) this.#endWith(this.#result);
    } else if (allCalled && pending === 0) {
      if (hasFailed) this.#sendResult(encodeRefusal('ERR_SINGLETON_OBSERVER_FAILED'));
      else this.#waitForStreams();
    }
  };

  #waitForStreams(): void {
    clearTimeout(this.#autoExitTimer);
    if (this.#isInUse()) return;
    // Later, because a callback of a stream that has just ended may say the last word, or use another.
    this.#autoExitTimer = setTimeout(() => this.#isInUse() || this.exit(0), this.#wasInUse ? AUTO_EXIT_DELAY : 0);
  }

  #isInUse(): boolean {
    const isInUse = [this.stdout, this.stderr, this.stdin].some((stream) => stream.isInUse);
    this.#wasInUse ||= isInUse;
    return isInUse || this.stdout.isBusy || this.stderr.isBusy;
  }

  /** The last word goes behind all output. */
  #endWith(frame: Frame): void {
    this.#isEnding = true;
    const outputs = [this.stdout, this.stderr];
    const onClose = (): void => {
      if (this.#isEnded || !outputs.every(({ closed }) => closed)) return;
      this.#isEnded = true;
      clearTimeout(this.#autoExitTimer);
      this.stdin.destroy();
      this.#writer.write(frame);
      this.#end();
    };
    for (const output of outputs) output.once('close', onClose).end();
    onClose();
  }

  #destroy(error: SingletonError): void {
    this.#isEnded = true;
    clearTimeout(this.#autoExitTimer);
    for (const stream of [this.stdout, this.stderr, this.stdin]) stream.destroy(error);
    this.#end();
    this.#gone.abort(error);
  }
}

function clientGoneError(): SingletonError {
  return new SingletonError('ERR_SINGLETON_CONNECTION_FAILED', 'A launch that waited for its answer has gone.');
}

function releasedError(): SingletonError {
  return new SingletonError('ERR_SINGLETON_RELEASED', 'A launch got no answer: the host gave up its endpoint.');
}
