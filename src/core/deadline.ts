import { SingletonError } from '../interface/errors.ts';
import { clearTimeout, setTimeout } from '../interface/timers.ts';
import { type ConnectOptions, onAbort } from '../interface/transport.ts';

/** Milliseconds between two attempts, with jitter so that launches do not retry in lockstep. */
const MIN_BACKOFF = 5;
const MAX_BACKOFF = 40;
/** After resets, back off further: each attempt makes the host emit a warning. */
const MAX_BACKOFF_AFTER_RESETS = 1000;

/**
 * Like `AbortController`, but creates its `AbortSignal` on first access: the first one of a process costs 1 to 4 ms, each
 * further one a tenth of a delivery.
 */
export class LazyAbortController {
  readonly #callbacks = new Set<() => void>();
  #reason: SingletonError | undefined;
  #controller: AbortController | undefined;

  /** `undefined` until it is aborted. */
  get reason(): SingletonError | undefined {
    return this.#reason;
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#reason) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** Calls back on abort, immediately if it is aborted already. Returns a function that unsubscribes. */
  readonly onAbort = (callback: () => void): (() => void) => {
    if (this.#reason) callback();
    else this.#callbacks.add(callback);
    return () => void this.#callbacks.delete(callback);
  };

  throwIfAborted(): void {
    if (this.#reason) throw this.#reason;
  }

  /** Only the first reason counts. */
  abort(reason: SingletonError): void {
    if (this.#reason) return;
    this.#reason = reason;
    this.#controller?.abort(reason);
    for (const callback of this.#callbacks) callback();
  }
}

/** Aborts after a time, or with its parent. */
export class Deadline extends LazyAbortController {
  readonly #expiresAt: number;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #removeListener: (() => void) | undefined;

  /** `ms` may be `Infinity`. `timeoutError` is called when the time has expired. */
  constructor(ms: number, timeoutError: () => SingletonError, parent: LazyAbortController) {
    super();
    this.#expiresAt = now() + ms;
    if (ms < Infinity) this.#timer = setTimeout(() => this.abort(timeoutError()), ms);
    this.#removeListener = parent.onAbort(() => parent.reason && this.abort(parent.reason));
  }

  /**
   * Options for a transport's `connect`. The signal is created when it is read. `onAbort` is not enumerable, so that a copy
   * with another signal does not have it.
   */
  connectOptions(): ConnectOptions {
    const signal = (): AbortSignal => this.signal;
    const options = {
      get signal() {
        return signal();
      },
    };
    return Object.defineProperty(options, onAbort, { value: this.onAbort });
  }

  /**
   * Waits before the next attempt, twice as long for each of the last `resets`. Resolves to `false` at once if too little
   * time would be left for that attempt: it could not tell a silent host from a free endpoint.
   */
  async backoff(resets = 0): Promise<boolean> {
    const longest = Math.min(MAX_BACKOFF * 2 ** resets, MAX_BACKOFF_AFTER_RESETS);
    const pause = MIN_BACKOFF + Math.random() * (longest - MIN_BACKOFF);
    if (this.#expiresAt - now() < pause + MIN_BACKOFF) return false;
    await new Promise((resolve) => setTimeout(resolve, pause));
    return true;
  }

  /** Ends the timer and the subscription to the parent. */
  clear(): void {
    clearTimeout(this.#timer);
    this.#removeListener?.();
  }
}

/** Settles as the promise does, or rejects with the reason if the controller aborts before. */
export function raceAbort<T>(promise: Promise<T>, controller: LazyAbortController): Promise<T> {
  return new Promise((resolve, reject) => {
    const removeListener = controller.onAbort(() => reject(controller.reason));
    promise.then(resolve, reject).finally(removeListener);
  });
}

/** Aborts the controller when a user's signal aborts. Returns a function that stops this. */
export function followSignal(controller: LazyAbortController, signal: AbortSignal | undefined): () => void {
  const abort = (): void => {
    const reason: unknown = signal?.reason;
    controller.abort(reason instanceof SingletonError ? reason : abortedError(reason));
  };
  if (signal?.aborted) abort();
  else signal?.addEventListener('abort', abort, { once: true });
  return () => signal?.removeEventListener('abort', abort);
}

/** Milliseconds on a monotonic clock. `performance.now()` is the same, but loads a part of Node that every launch would pay for. */
export function now(): number {
  return process.uptime() * 1000;
}

function abortedError(cause: unknown): SingletonError {
  const message = 'The signal aborted before the launch was delivered and answered.';
  return new SingletonError('ERR_SINGLETON_RELEASED', message, { cause });
}

/** Why a Singleton that was released, or aborted by its signal, does not acquire again. */
export function releasedError(endpoint: string, signal: AbortSignal | undefined): SingletonError {
  const how = signal?.aborted ? 'aborted by its signal' : 'released';
  const message = `This Singleton was ${how}; create a new one to acquire ${endpoint}.`;
  return new SingletonError('ERR_SINGLETON_RELEASED', message, signal?.aborted ? { cause: signal.reason } : undefined);
}
