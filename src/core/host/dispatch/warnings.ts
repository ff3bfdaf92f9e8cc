import { inspect } from 'node:util';
import { messageOf, SingletonError } from '../../../interface/errors.ts';
import { clearTimeout, now, setTimeout } from '../../../interface/timers.ts';
import { publish } from '../../diagnostics.ts';
import type { VerifyFailure } from '../../events.ts';
import { callSafely } from './call-safely.ts';
import type { HostClient } from './client.ts';
import type { HostContext } from './context.ts';

/** Emits and prints warnings, at most 100 in ten seconds. */
export class Warnings<T, R> {
  readonly #context: Pick<HostContext<T, R>, 'options' | 'emitter' | 'server'>;
  readonly #limit: RateLimit;

  constructor(context: Pick<HostContext<T, R>, 'options' | 'emitter' | 'server'>) {
    this.#context = context;
    this.#limit = new RateLimit((leftOut) => this.warnOfFlood(leftOut, 'warnings were not emitted'));
  }

  warn(warning: SingletonError): void {
    this.#limit.pass(() => this.#emit(warning));
  }

  /** Emitted in any case: of each flood there is one such warning in ten seconds. */
  warnOfFlood(leftOut: number, what: string): void {
    this.#emit(new SingletonError('ERR_SINGLETON_BUSY', `Too many at once: ${leftOut} more ${what}.`));
  }

  /** With `verbose`, prints a client that did not prove the secret. */
  printFailure({ reason, remoteAddress = 'an unknown address' }: VerifyFailure): void {
    if (this.#context.options.verbose) print(`a client was refused: ${reason}, from ${remoteAddress}`);
  }

  /** A listener threw or rejected. That fails the launch that it was called for, and nothing else. */
  listenerFailed(event: string, cause: unknown, client?: HostClient<R>): void {
    // The streams and the signal of a client that has disconnected make listeners reject: that needs no print.
    const isExpected = client?.hasGone ?? false;
    const message = isExpected
      ? `A listener of "${event}" rejected after its client had disconnected.`
      : `A listener of "${event}" threw or rejected${nameOf(client)}. The host goes on.`;
    this.#reportFailure(message, { cause }, !isExpected);
  }

  /** A reply or an exit status could not be sent. Its launch has failed. */
  resultFailed(client: HostClient<R>, cause: unknown): void {
    const message = `The result of a listener could not be sent${nameOf(client)}. The launch failed, and the host goes on.`;
    this.#reportFailure(message, { cause });
  }

  /** A listener wrote or replied after the launch had ended because all listeners had settled. */
  resultTooLate(client: HostClient<R>): void {
    const message =
      `A reply, exit or write came too late${nameOf(client)}: the launch had ended with status 0, because its listeners had ` +
      'returned. Return a promise that settles when the work is done.';
    this.#reportFailure(message);
  }

  /** Reports how many were left out so far. */
  end(): void {
    this.#limit.end();
  }

  #reportFailure(message: string, options?: ErrorOptions, mustShow = true): void {
    const warning = new SingletonError('ERR_SINGLETON_LISTENER_FAILED', message, options);
    this.#limit.pass(() => this.#emit(warning, mustShow));
  }

  /** `mustShow`: without a listener of "warning", Node prints it as a warning of the process. */
  #emit(warning: SingletonError, mustShow = false): void {
    const { options, emitter, server } = this.#context;
    const listeners = emitter.rawListeners('warning');
    if (options.verbose) printWarning(warning);
    else if (mustShow && listeners.length === 0) emitProcessWarning(warning);
    publish('socket-singleton:warning', () => ({ endpoint: server.endpoint, warning }));
    for (const listener of listeners) callSafely(listener, emitter, [warning], warningListenerFailed);
  }
}

function nameOf<R>(client: HostClient<R> | undefined): string {
  return client ? ` for launch ${client.number}` : '';
}

function warningListenerFailed(cause: unknown): void {
  const message = 'A listener of "warning" threw or rejected. The host goes on.';
  emitProcessWarning(new SingletonError('ERR_SINGLETON_LISTENER_FAILED', message, { cause }));
}

/** Node prints it on stderr, with the stack of the cause. */
function emitProcessWarning({ name, code, message, cause }: SingletonError): void {
  process.emitWarning(message, { type: name, code, detail: cause === undefined ? '' : show(cause, inspect) });
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
    const time = now();
    if (time - this.#start >= WINDOW) this.#begin(time);
    if (this.#passed < MAX_EVENTS) {
      this.#passed += 1;
      act();
    } else {
      this.#leftOut += 1;
      this.#timer ??= setTimeout(() => this.end(), this.#start + WINDOW - time).unref();
    }
  }

  /** Reports how many were left out so far. */
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
  const reason = show(cause, messageOf);
  // The issues of a schema may quote the client.
  const isPrinted = cause !== undefined && code !== 'ERR_SINGLETON_INVALID_ARGS';
  print(isPrinted ? `${code}: ${message} Cause: ${reason}` : `${code}: ${message}`);
}

/** The cause as text. It may be anything, and throw when it is looked at. */
function show(cause: unknown, textOf: (error: unknown) => string): string {
  try {
    return cause instanceof Error ? textOf(cause) : inspect(cause);
  } catch {
    return 'a value that cannot be shown';
  }
}

/** A closed stderr must not end the host, as it would with `console.error`. */
function print(line: string): void {
  const { stderr } = process;
  if (!stderr.listeners('error').includes(ignore)) stderr.on('error', ignore);
  stderr.write(`socket-singleton: ${line}\n`);
}

function ignore(): void {}
