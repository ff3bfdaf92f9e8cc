import { inspect } from 'node:util';
import { SingletonError } from '../../interface/errors.ts';
import type { Client, VerifyFailure } from '../events.ts';
import { emitSafely } from './emit-safely.ts';
import type { HostContext } from './host.ts';

/** Emits and prints warnings, at most 100 in ten seconds. */
export class Warnings<T, R> {
  readonly #context: Pick<HostContext<T, R>, 'options' | 'emitter'>;
  readonly #emitted: RateLimit;
  readonly #printed: RateLimit;

  constructor(context: Pick<HostContext<T, R>, 'options' | 'emitter'>) {
    this.#context = context;
    this.#emitted = new RateLimit((count) => this.#emit(floodWarning(count, 'warnings were not emitted')));
    this.#printed = new RateLimit((count) => this.warn(floodWarning(count, 'refused clients were not printed')));
  }

  warn(warning: SingletonError): void {
    this.#emitted.pass(() => this.#emit(warning));
  }

  /** With `verbose`, prints a client that did not prove the secret. */
  printFailure(failure: VerifyFailure): void {
    if (this.#context.options.verbose) this.#printed.pass(() => printFailure(failure));
  }

  /**
   * Reports a rejection of a listener as a warning if its client has disconnected: the client's streams and signal make
   * listeners reject. Returns `false` if the client has not.
   */
  ignoreIfGone(client: Client<R>, cause: unknown): boolean {
    const hasGone = client.waiting && client.signal.aborted;
    if (hasGone) this.warn(clientGoneWarning(cause));
    return hasGone;
  }

  /** Reports what was left out so far. */
  end(): void {
    this.#emitted.end();
    this.#printed.end();
  }

  #emit(warning: SingletonError): void {
    const { options, emitter } = this.#context;
    if (options.verbose) printWarning(warning);
    emitSafely(emitter.rawListeners('warning'), emitter, [warning]);
  }
}

function clientGoneWarning(cause: unknown): SingletonError {
  const message = 'A listener rejected after its client had disconnected.';
  return new SingletonError('ERR_SINGLETON_OBSERVER_FAILED', message, { cause });
}

function floodWarning(count: number, what: string): SingletonError {
  return new SingletonError('ERR_SINGLETON_BUSY', `Too many at once: ${count} more ${what}.`);
}

/** Events in a window of milliseconds: enough for every honest cause, too few to flood a log. */
const MAX_EVENTS = 100;
const WINDOW = 10_000;

/** Lets the first events of a flood pass, counts the others, and reports their number when the window ends. */
export class RateLimit {
  readonly #summarize: (leftOut: number) => void;
  #start = -Infinity;
  #passed = 0;
  #leftOut = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(summarize: (leftOut: number) => void) {
    this.#summarize = summarize;
  }

  pass(act: () => void): void {
    const now = performance.now();
    if (now - this.#start >= WINDOW) this.#begin(now);
    if (this.#passed < MAX_EVENTS) {
      this.#passed += 1;
      act();
    } else {
      this.#leftOut += 1;
      this.#timer ??= setTimeout(() => this.end(), this.#start + WINDOW - now).unref();
    }
  }

  /** Reports what was left out so far. */
  end(): void {
    this.#begin(-Infinity);
  }

  #begin(start: number): void {
    const leftOut = this.#leftOut;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#start = start;
    this.#passed = 0;
    this.#leftOut = 0;
    if (leftOut > 0) this.#summarize(leftOut);
  }
}

/** What `verbose` prints of a warning, one line on stderr. */
function printWarning({ code, message, cause }: SingletonError): void {
  const reason = cause instanceof Error ? cause.message : inspect(cause);
  // The issues of a schema may quote the client.
  const isPrinted = cause !== undefined && code !== 'ERR_SINGLETON_INVALID_ARGS';
  print(isPrinted ? `${code}: ${message} Cause: ${reason}` : `${code}: ${message}`);
}

/** What `verbose` prints of a client that did not prove the secret. */
function printFailure({ reason, remoteAddress = 'an unknown address' }: VerifyFailure): void {
  print(`a client was refused: ${reason}, from ${remoteAddress}`);
}

/** A closed stderr must not end the host, as it would with `console.error`. */
function print(line: string): void {
  const { stderr } = process;
  if (!stderr.listeners('error').includes(ignore)) stderr.on('error', ignore);
  stderr.write(`socket-singleton: ${line}\n`);
}

function ignore(): void {}
