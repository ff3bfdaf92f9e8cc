import { SingletonError } from '../interface/errors.ts';
import type { ConnectOptions } from '../interface/transport.ts';
/**
 * Milliseconds on a clock that never goes back. `performance.now()` says the same, and loads a part of Node that each launch
 * would pay for.
 */
export function now(): number {
  return process.uptime() * 1000;
}

/** Is over at most once, and then for a reason. An `AbortSignal`, but one is made only where it is asked for: it takes its time. */
export class LazyAbortController {
  readonly #callbacks = new Set<() => void>();
  #reason: SingletonError | undefined;
  #controller: AbortController | undefined;

  /** `undefined` while it is not over. */
  get reason(): SingletonError | undefined {
    return this.#reason;
  }

  /** Aborts when it is over. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#reason) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** Calls back when it is over, at once where it is, and gives what takes that back. */
  readonly onAbort = (callback: () => void): (() => void) => {
    if (this.#reason) callback();
    else this.#callbacks.add(callback);
    return () => void this.#callbacks.delete(callback);
  };

  throwIfAborted(): void {
    if (this.#reason) throw this.#reason;
  }

  /** The first reason counts. */
  abort(reason: SingletonError): void {
    if (this.#reason) return;
    this.#reason = reason;
    this.#controller?.abort(reason);
    for (const callback of this.#callbacks) callback();
  }
}

/** What the promise settles to, unless it is over before: then rejects with the reason. */
export function raceAbort<T>(promise: Promise<T>, ending: LazyAbortController): Promise<T> {
  return new Promise((resolve, reject) => {
    const forget = ending.onAbort(() => reject(ending.reason));
    promise.then(resolve, reject).finally(forget);
  });
}

/** Milliseconds between two tries: too short to be felt, and uneven, so that launches do not march in step. */
const MIN_BACKOFF = 5;
const MAX_BACKOFF = 40;
/** Who cuts launches off has a reason, and each try costs it a warning. */
const MAX_BACKOFF_AFTER_RESETS = 1000;

/** Is over after a time, or as soon as what it is a part of is. */
export class Deadline extends LazyAbortController {
  readonly #expiresAt: number;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #removeListener: () => void;

  /** `expired` is asked for the reason when the time is over. Milliseconds; `Infinity` is never. */
  constructor(after: number, expired: () => SingletonError, parent: LazyAbortController | AbortSignal | undefined) {
    super();
    this.#expiresAt = now() + after;
    if (after < Infinity) this.#timer = setTimeout(() => this.abort(expired()), after);
    this.#removeListener = parent ? onParentAbort(parent, (reason) => this.abort(reason)) : () => {};
  }

  /** For a transport. A copy has the signal, which is made then, and not `onAbort`: who replaces the signal means that one. */
  connectOptions(): ConnectOptions {
    const signal = (): AbortSignal => this.signal;
    const options = {
      get signal() {
        return signal();
      },
    };
    return Object.defineProperty(options, 'onAbort', { value: this.onAbort });
  }

  /**
   * Waits a moment before the next try, twice as long for each time that somebody was there and `cutOff` the last ones.
   * Resolves to `false`, at once, where the deadline would cut that try short: it could not tell a silent host from nobody.
   */
  async backoff(cutOff = 0): Promise<boolean> {
    const longest = Math.min(MAX_BACKOFF * 2 ** cutOff, MAX_BACKOFF_AFTER_RESETS);
    const pause = MIN_BACKOFF + Math.random() * (longest - MIN_BACKOFF);
    if (this.#expiresAt - now() < pause + MIN_BACKOFF) return false;
    await new Promise((resolve) => setTimeout(resolve, pause));
    return true;
  }

  /** The wait is over: lets go of the timer and of what it is a part of. */
  clear(): void {
    clearTimeout(this.#timer);
    this.#removeListener();
  }
}

/** Calls back when it is over, at once where it is, and gives what takes that back. */
function onParentAbort(
  parent: LazyAbortController | AbortSignal,
  callback: (reason: SingletonError) => void,
): () => void {
  if (parent instanceof LazyAbortController) return parent.onAbort(() => parent.reason && callback(parent.reason));
  const onAbort = (): void => {
    const reason: unknown = parent.reason;
    callback(reason instanceof SingletonError ? reason : abortedError(reason));
  };
  if (parent.aborted) onAbort();
  else parent.addEventListener('abort', onAbort, { once: true });
  return () => parent.removeEventListener('abort', onAbort);
}

function abortedError(cause: unknown): SingletonError {
  return new SingletonError('ERR_SINGLETON_RELEASED', 'The signal aborted before the launch was through.', { cause });
}
