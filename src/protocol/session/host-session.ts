import type { Duplex } from 'node:stream';
import type { Decoder } from '../../interface/codec.ts';
import type { ProtocolOptions, Terminals } from '../../interface/protocol.ts';
import type { Session, SessionResult } from '../../interface/session.ts';
import { SingletonError, malformedError } from '../../interface/errors.ts';
import { FrameWriter } from '../frames.ts';
import { encodeRefusal, type Frame, KIND, MAX_RAW_BYTES } from '../messages.ts';
import { decodeResize, decodeSignal, encodeExit, encodeWindowUpdate } from './messages.ts';
import { RemoteStdin, RemoteOutput } from './remote-stdio.ts';
import { type WireFormat, requireSize, serialize } from '../serializer.ts';

const EMPTY = new Uint8Array(0);

/** Each one calls listeners, whose promises take memory. */
const MAX_SIGNALS = 1024;

/** `pending`: the receipt was not sent. `closing`: no output is accepted, and the result follows what was written. */
type State = 'pending' | 'open' | 'closing' | 'closed';

interface Result {
  readonly frame: Frame;
  /** How the session ends if the frame is sent. */
  readonly end: SessionResult;
}

/** The host's side of a session. */
export class HostSession<R> implements Session<R> {
  readonly stdout: RemoteOutput;
  readonly stderr: RemoteOutput;
  readonly stdin: RemoteStdin;
  readonly finished: Promise<boolean>;
  readonly #wireFormat: WireFormat<unknown, R>;
  readonly #options: ProtocolOptions;
  readonly #writer: FrameWriter;
  readonly #decoder: Decoder<Frame>;
  readonly #abortController = new AbortController();
  onChange: () => void = () => {};
  onLate: () => void = () => {};
  onEnd: (end: SessionResult) => void = () => {};
  onSignal: (signal: string) => void = () => {};
  #result: Result | undefined;
  #signals = 0;
  #state: State = 'pending';
  /** Whether the host wants the result to be sent. */
  #isEnding = false;
  #finish: (hasResult: boolean | SingletonError) => void = () => {};

  /** `terminals` are those of the launch. */
  constructor(
    wireFormat: WireFormat<unknown, R>,
    stream: Duplex,
    options: ProtocolOptions,
    { stdout, stderr }: Terminals = {},
  ) {
    this.#wireFormat = wireFormat;
    this.#options = options;
    this.#writer = new FrameWriter(stream, wireFormat.frames);
    this.#decoder = wireFormat.frames.createDecoder({ maxMessageBytes: 1 + MAX_RAW_BYTES });
    const onLate = (): void => this.onLate();
    this.stdout = new RemoteOutput(this.#writer, KIND.stdout, stdout, this.#changed, onLate);
    this.stderr = new RemoteOutput(this.#writer, KIND.stderr, stderr, this.#changed, onLate);
    this.stdout.other = this.stderr;
    this.stderr.other = this.stdout;
    this.stdin = new RemoteStdin((bytes) => this.#writer.write(encodeWindowUpdate(bytes)), this.#changed);
    this.finished = new Promise((resolve, reject) => {
      this.#finish = (result) => (typeof result === 'boolean' ? resolve(result) : reject(result));
    });
    this.finished.catch(() => {});
  }

  get signal(): AbortSignal {
    return this.#abortController.signal;
  }

  ping(): void {
    if (this.#state === 'open') this.#writer.write({ kind: KIND.ping, body: EMPTY });
  }

  reply(value: R): boolean {
    if (this.isSettled) return this.#late();
    const { name, reply: serializer } = this.#wireFormat;
    // A copy: the reply may wait for the output, and the serializer may have returned the bytes of the value itself.
    const frame = { kind: KIND.reply, body: new Uint8Array(serialize(name, serializer, value)) };
    requireSize(frame, this.#options.maxMessageBytes);
    return this.#setResult({ frame, end: { result: 'reply', exitCode: 0, reply: value } });
  }

  exit(code: number): boolean {
    return this.#setResult({ frame: encodeExit(code), end: { result: 'exit', exitCode: code } });
  }

  fail(): boolean {
    return this.#setResult({ frame: encodeRefusal('ERR_SINGLETON_LISTENER_FAILED'), end: { result: 'failed' } });
  }

  end(): void {
    this.#isEnding = true;
    this.#sendResult();
  }

  /** Called after the receipt was written. */
  open(): void {
    if (this.#state === 'pending') this.#state = 'open';
    this.#writer.uncork();
    this.#sendResult();
  }

  /** Takes the bytes that follow the launch. */
  push(chunk: Uint8Array): void {
    if (this.#isClosed) return;
    try {
      for (const frame of this.#decoder.push(chunk)) {
        this.#receive(frame);
        if (this.#isClosed) return;
      }
      // Throws the error of the bytes after the last frame, if there is one.
      this.#decoder.push(EMPTY);
    } catch (error) {
      if (!(error instanceof SingletonError)) throw error;
      this.#writer.write(encodeRefusal('ERR_SINGLETON_MALFORMED_MESSAGE'));
      this.clientGone(error);
    }
  }

  #receive(frame: Frame): void {
    switch (frame.kind) {
      case KIND.stdin:
        return this.stdin.receive(frame.body);
      case KIND.resize: {
        const { stdout, stderr } = decodeResize(frame);
        if (stdout) this.stdout.setTerminal(stdout);
        if (stderr) this.stderr.setTerminal(stderr);
        return undefined;
      }
      case KIND.signal: {
        this.#signals += 1;
        if (this.#signals > MAX_SIGNALS) throw malformedError(`at most ${MAX_SIGNALS} signals`);
        return this.onSignal(decodeSignal(frame));
      }
      default:
        throw malformedError(`stdin, a resize or a signal, got a frame of kind ${frame.kind}`);
    }
  }

  kill(signal: string, status: number): void {
    if (this.#isClosed) return;
    this.#writer.write(encodeExit(status));
    this.#finish(true);
    this.#destroy(killedError(signal), { result: 'killed', exitCode: status });
  }

  /** The client disconnected, broke the protocol, or was rejected. */
  clientGone(error?: SingletonError, result: 'disconnected' | 'refused' | 'released' = 'disconnected'): void {
    if (this.#state === 'closed') return;
    if (error) this.#finish(error);
    this.#destroy(error ?? disconnectedError(), { result });
  }

  /** Ends at once: sends the result if all output is flushed, otherwise `ERR_SINGLETON_RELEASED`. */
  abort(): void {
    if (this.#state === 'closed') return;
    for (const output of [this.stdout, this.stderr]) output.uncork();
    const isFlushed = this.stdout.writableLength + this.stderr.writableLength === 0;
    const result = isFlushed ? this.#result : undefined;
    this.#writer.write(result?.frame ?? encodeRefusal('ERR_SINGLETON_RELEASED'));
    this.#destroy(releasedError(), result?.end ?? { result: 'released' });
  }

  get isSettled(): boolean {
    return this.#result !== undefined || this.#isClosed;
  }

  get #isClosed(): boolean {
    return this.#state === 'closed';
  }

  get isInUse(): boolean {
    return this.stdout.isInUse || this.stderr.isInUse || this.stdin.isInUse;
  }

  get isFlushed(): boolean {
    return !this.stdout.isBusy && !this.stderr.isBusy;
  }

  #setResult(result: Result): boolean {
    if (this.isSettled) return this.#late();
    this.#result = result;
    this.#changed();
    return true;
  }

  #late(): false {
    this.onLate();
    return false;
  }

  readonly #changed = (): void => this.onChange();

  /** Sends the result, once, after the receipt and all output. */
  #sendResult(): void {
    const result = this.#result;
    if (!result || !this.#isEnding || this.#state !== 'open') return;
    this.#state = 'closing';
    const outputs = [this.stdout, this.stderr];
    const onClose = (): void => {
      if (this.#state === 'closed' || !outputs.every(({ closed }) => closed)) return;
      this.#state = 'closed';
      this.stdin.destroy();
      this.#writer.write(result.frame);
      this.#finish(true);
      this.onEnd(result.end);
    };
    for (const output of outputs) output.once('close', onClose).end();
    onClose();
  }

  #destroy(error: SingletonError, end: SessionResult): void {
    this.#state = 'closed';
    this.#changed();
    for (const stream of [this.stdout, this.stderr, this.stdin]) stream.destroy(error);
    this.#finish(false);
    this.onEnd(end);
    this.#abortController.abort(error);
  }
}

function disconnectedError(): SingletonError {
  return new SingletonError('ERR_SINGLETON_CONNECTION_FAILED', 'The client disconnected before the session ended.');
}

function killedError(signal: string): SingletonError {
  return new SingletonError('ERR_SINGLETON_CONNECTION_FAILED', `The client has ended because it received ${signal}.`);
}

function releasedError(): SingletonError {
  return new SingletonError('ERR_SINGLETON_RELEASED', 'The host was released before the session ended.');
}
