import type { ConnectOptions } from '../transports/transport.ts';
import { now } from './clock.ts';
import { SingletonError } from './errors.ts';

/** Milliseconds between two tries: too short to be felt, and uneven, so that launches do not march in step. */
const MIN_PAUSE = 5;
const MAX_PAUSE = 40;
/** Who cuts launches off has a reason, and each try costs it a warning. */
const MAX_BACKED_OFF = 1000;

/** Is over after a time, or as soon as the user's signal aborts. */
export class Deadline {
  readonly #end: number;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #parent: AbortSignal | undefined;
  readonly #callbacks = new Set<() => void>();
  #reason: SingletonError | undefined;
  #controller: AbortController | undefined;

  /** `expired` is asked for the reason when the time is over. Milliseconds; `Infinity` is never. */
  constructor(after: number, expired: () => SingletonError, parent: AbortSignal | undefined) {
    this.#end = now() + after;
    if (after < Infinity) this.#timer = setTimeout(() => this.#abort(expired()), after);
    this.#parent = parent;
    if (parent?.aborted) this.#onParentAbort();
    else parent?.addEventListener('abort', this.#onParentAbort, { once: true });
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

  /** For a transport. A copy has the signal, which is made then, and not `onAbort`: who replaces the signal means that one. */
  toConnectOptions(): ConnectOptions {
    const signal = (): AbortSignal => this.signal;
    const options = {
      get signal() {
        return signal();
      },
    };
    return Object.defineProperty(options, 'onAbort', { value: this.onAbort });
  }

  throwIfOver(): void {
    if (this.#reason) throw this.#reason;
  }

  /**
   * Waits a moment before the next try, twice as long for each time that somebody was there and `cutOff` the last ones.
   * Resolves to `false`, at once, where the deadline would cut that try short: it could not tell a silent host from nobody.
   */
  async pause(cutOff = 0): Promise<boolean> {
    const longest = Math.min(MAX_PAUSE * 2 ** cutOff, MAX_BACKED_OFF);
    const pause = MIN_PAUSE + Math.random() * (longest - MIN_PAUSE);
    if (this.#end - now() < pause + MIN_PAUSE) return false;
    await new Promise((resolve) => setTimeout(resolve, pause));
    return true;
  }

  /** The wait is over: lets go of the timer and of the user's signal. */
  clear(): void {
    clearTimeout(this.#timer);
    this.#parent?.removeEventListener('abort', this.#onParentAbort);
  }

  readonly #onParentAbort = (): void => {
    const reason: unknown = this.#parent?.reason;
    this.#abort(reason instanceof SingletonError ? reason : aborted(reason));
  };

  #abort(reason: SingletonError): void {
    if (this.#reason) return;
    this.#reason = reason;
    this.#controller?.abort(reason);
    for (const callback of this.#callbacks) callback();
  }
}

function aborted(cause: unknown): SingletonError {
  return new SingletonError('ERR_SINGLETON_RELEASED', 'The signal aborted before the launch was through.', {
    cause,
  });
}

/** What the promise settles to, unless the signal aborts first: then its reason. */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
