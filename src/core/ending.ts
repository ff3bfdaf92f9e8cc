import type { SingletonError } from './errors.ts';

/** Is over at most once, and then for a reason. An `AbortSignal`, but one is made only where it is asked for: it takes its time. */
export class Ending {
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

  throwIfOver(): void {
    if (this.#reason) throw this.#reason;
  }

  /** The first reason counts. */
  end(reason: SingletonError): void {
    if (this.#reason) return;
    this.#reason = reason;
    this.#controller?.abort(reason);
    for (const callback of this.#callbacks) callback();
  }
}

/** What the promise settles to, unless it is over before: then rejects with the reason. */
export function unlessOver<T>(promise: Promise<T>, ending: Ending): Promise<T> {
  return new Promise((resolve, reject) => {
    const forget = ending.onAbort(() => reject(ending.reason));
    promise.then(resolve, reject).finally(forget);
  });
}
