import { constants } from 'node:os';
import { Readable, type Writable } from 'node:stream';
import type * as Typed from 'typed-emitter';
import type { VerifiedLaunch } from '../../../interface/protocol.ts';
import type { ClientOutput, Session, Stdio } from '../../../interface/session.ts';
import { invalidOptionError } from '../../../interface/errors.ts';
import { TerminalOutput } from '../../../protocol/session/terminal-output.ts';
import { TypedEmitter } from '../../emitter.ts';
import type { Client } from '../../events.ts';
import { terminalOf } from '../../forwarding.ts';
import { callSafely, type ListenerResult } from './call-safely.ts';
import type { Warnings } from './warnings.ts';

type ClientWarnings<R> = Pick<Warnings<unknown, R>, 'resultFailed' | 'listenerFailed'>;

/** Where a launch comes from. `stdio` is that of this process, if it is the host's own launch. */
interface ClientOrigin {
  readonly remoteAddress: string | undefined;
  readonly stdio?: Stdio | undefined;
}

/** The public `client` of one launch. If a launch of another process does not wait, output is discarded. */
export class HostClient<R> implements Client<R> {
  readonly number: number;
  readonly self: boolean;
  readonly cwd: string | undefined;
  readonly pid: number | undefined;
  readonly remoteAddress: string | undefined;
  readonly codec: string;
  readonly version: string | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly #session: Session<R> | undefined;
  readonly #stdio: Stdio | undefined;
  readonly #warnings: ClientWarnings<R>;
  #signal: AbortSignal | undefined;
  #stdout: ClientOutput | undefined;
  #stderr: ClientOutput | undefined;
  #stdin: Readable | undefined;
  #emitter: Typed.default<ClientEvents> | undefined;

  constructor(
    number: number,
    { codec, launch, session }: Pick<VerifiedLaunch<unknown, R>, 'codec' | 'launch' | 'session'>,
    { remoteAddress, stdio }: ClientOrigin,
    warnings: ClientWarnings<R>,
  ) {
    this.number = number;
    this.self = stdio !== undefined;
    this.cwd = launch.cwd;
    this.pid = launch.pid;
    this.codec = codec;
    this.version = launch.version;
    this.env = launch.env ? Object.freeze(launch.env) : NO_VARIABLES;
    this.remoteAddress = remoteAddress;
    this.#session = session;
    this.#stdio = stdio;
    this.#warnings = warnings;
    Object.freeze(this);
  }

  get waiting(): boolean {
    return this.#session !== undefined && !this.#session.isSettled;
  }

  /** Whether a client that waited has disconnected, or its session was aborted. */
  get hasGone(): boolean {
    return this.#session?.signal.aborted ?? false;
  }

  get signal(): AbortSignal {
    return this.#session?.signal ?? (this.#signal ??= new AbortController().signal);
  }

  get stdout(): ClientOutput {
    return this.#session?.stdout ?? (this.#stdout ??= outputTo(this.#stdio?.stdout));
  }

  get stderr(): ClientOutput {
    return this.#session?.stderr ?? (this.#stderr ??= outputTo(this.#stdio?.stderr));
  }

  get stdin(): Readable {
    return this.#session?.stdin ?? (this.#stdin ??= this.#stdio?.stdin ?? Readable.from([]));
  }

  on(event: 'signal', listener: SignalListener): this {
    (this.#emitter ??= new TypedEmitter<ClientEvents>()).on(event, listener);
    return this;
  }

  once(event: 'signal', listener: SignalListener): this {
    (this.#emitter ??= new TypedEmitter<ClientEvents>()).once(event, listener);
    return this;
  }

  off(event: 'signal', listener: SignalListener): this {
    this.#emitter?.off(event, listener);
    return this;
  }

  /** The client forwards a signal. Without a listener for it, the launch ends as if the signal had ended the client. */
  receive(signal: string): readonly ListenerResult[] {
    const listeners = this.#emitter?.rawListeners('signal') ?? [];
    if (listeners.length === 0) this.#session?.kill(signal, signalStatus(signal) ?? UNKNOWN_SIGNAL_STATUS);
    const onError = (cause: unknown): void => this.#warnings.listenerFailed('signal', cause, this);
    return listeners.map((listener) => callSafely(listener, this, [signal], onError));
  }

  reply(value: R): boolean {
    return this.#setResult((session) => session.reply(value));
  }

  exit(code: number | null = 0, signal?: NodeJS.Signals | null): boolean {
    return this.#setResult((session) => session.exit(exitStatus(code, signal)));
  }

  /** A mistake in one result must not end the host: it fails this launch. */
  #setResult(set: (session: Session<R>) => boolean): boolean {
    const session = this.#session;
    if (!session) return false;
    try {
      return set(session);
    } catch (error) {
      if (session.fail()) this.#warnings.resultFailed(this, error);
      return false;
    }
  }
}

const NO_VARIABLES: Readonly<Record<string, string>> = Object.freeze({});

type SignalListener = (signal: NodeJS.Signals) => unknown;
type ClientEvents = { signal: SignalListener };

function exitStatus(code: unknown, signal: NodeJS.Signals | null | undefined): number {
  const status = code === null && signal ? signalStatus(signal) : undefined;
  if (status !== undefined) return status;
  if (typeof code === 'number' && Number.isInteger(code) && code >= 0 && code <= 255) return code;
  throw invalidOptionError('code', 'an integer from 0 to 255, or null and a signal', code);
}

/** As a shell has it: 128 and the number of the signal that ended a process. `undefined` if this system has no such signal. */
function signalStatus(signal: string): number | undefined {
  const numbers: Readonly<Record<string, number>> = constants.signals;
  return Object.hasOwn(numbers, signal) ? 128 + Number(numbers[signal]) : undefined;
}

/** The least status that a signal can have. */
const UNKNOWN_SIGNAL_STATUS = 129;

/** An output of a launch that does not wait: the process's own, which is not ended, or none. */
function outputTo(stream: Writable | undefined): ClientOutput {
  const write = (chunk: unknown, _encoding: unknown, done: (error?: Error | null) => void): void =>
    stream ? void stream.write(chunk, done) : done();
  // A closed output must not end the host.
  if (stream && !stream.listeners('error').includes(ignore)) stream.on('error', ignore);
  return new TerminalOutput(terminalOf(stream), { write }).on('error', ignore);
}

function ignore(): void {}
