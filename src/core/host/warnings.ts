import { inspect } from 'node:util';
import type { SingletonError } from '../../interface/errors.ts';
import type { VerifyFailure } from '../events.ts';
/** So many in so many milliseconds: enough for every honest cause, too few to flood a log. */
const MAX_EVENTS = 100;
const WINDOW = 10_000;

/** Lets the first of a flood through, counts the others, and tells their number when the window is over. */
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

  /** Tells what was left out so far. */
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
export function printWarning({ code, message, cause }: SingletonError): void {
  const reason = cause instanceof Error ? cause.message : inspect(cause);
  // What a schema says may quote the client.
  const isTold = cause !== undefined && code !== 'ERR_SINGLETON_INVALID_ARGS';
  print(isTold ? `${code}: ${message} Cause: ${reason}` : `${code}: ${message}`);
}

/** What `verbose` prints of a client that did not prove the secret. */
export function printFailure({ reason, remoteAddress = 'an unknown address' }: VerifyFailure): void {
  print(`a client was refused: ${reason}, from ${remoteAddress}`);
}

/** The error of a stderr that nobody reads any more must not end the host; `console.error` lets it. */
function print(line: string): void {
  const { stderr } = process;
  if (!stderr.listeners('error').includes(ignore)) stderr.on('error', ignore);
  stderr.write(`socket-singleton: ${line}\n`);
}

function ignore(): void {}
