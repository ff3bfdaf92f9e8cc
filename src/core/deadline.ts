import { SingletonError } from '../interface/errors.ts';
import { LinkedList } from '../interface/linked-list.ts';
import { afterTwoTurns, clearTimeout, now, setTimeout } from '../interface/timers.ts';
import { type AbortableOptions, type ConnectOptions, onAbort } from '../interface/transport.ts';

/** Milliseconds between two attempts, with jitter so that launches do not retry in lockstep. */
const MIN_BACKOFF = 5;
const MAX_BACKOFF = 40;
/** After failures, back off further: an attempt that is reset makes the host emit a warning, and a standby may wait for days. */
const MAX_BACKOFF_AFTER_FAILURES = 1000;

/**
 * Like `AbortController`, but creates its `AbortSignal` on first access: the first one of a process costs 1 to 4 ms, each
 * further one a tenth of a delivery.
 */
export class LazyAbortController {
  readonly #callbacks = new LinkedList<() => void>();
  #reason: SingletonError | undefined;
  #controller: AbortController | undefined;
  /** The last failure of an attempt that the transport itself has tried again. */
  protected failure: Error | undefined;

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
    if (!this.#reason) return this.#callbacks.add(callback);
    callback();
    return () => {};
  };

  throwIfAborted(): void {
    if (this.#reason) throw this.#reason;
  }

  /** Options for an attempt of a transport. The signal is created when it is read. */
  attemptOptions<Options extends object>(options: Options): Options & ConnectOptions {
    return Object.assign(new Attempt(this, (error) => (this.failure = error)), options);
  }

  /** Only the first reason counts. */
  abort(reason: SingletonError): void {
    if (this.#reason) return;
    this.#reason = reason;
    this.#controller?.abort(reason);
    for (const callback of this.#callbacks) callback();
  }
}

/** What a transport gets. A copy has the signal, but not `onAbort`, because it may have another signal. */
class Attempt implements AbortableOptions {
  /** An own property, so that a copy has it. A getter in a literal would take fourteen times as long. */
  static readonly #signal: PropertyDescriptor & ThisType<Attempt> = {
    get() {
      return this.#controller.signal;
    },
    enumerable: true,
    configurable: true,
  };
  readonly #controller: LazyAbortController;
  declare readonly signal: AbortSignal;
  readonly onRetry: (error: Error) => void;

  constructor(controller: LazyAbortController, onRetry: (error: Error) => void) {
    this.#controller = controller;
    this.onRetry = onRetry;
    Object.defineProperty(this, 'signal', Attempt.#signal);
  }

  get [onAbort](): LazyAbortController['onAbort'] {
    return this.#controller.onAbort;
  }
}

/** A deadline counts its time in this many parts. */
const PARTS = 10;

/**
 * Aborts after a time, or with its parent. Time in which this process did not run (SIGSTOP, a suspend, a long turn) does not
 * count: of a part that takes longer, only the planned time does.
 */
export class Deadline extends LazyAbortController {
  readonly #timeoutError: (cause: Error | undefined) => SingletonError;
  readonly #removeListener: () => void;
  /** The time that is left at the end of the current part. */
  #remaining: number;
  /** The longest part. */
  readonly #part: number;
  #partEndsAt = 0;
  /** `undefined` once it is cleared. */
  #timer: NodeJS.Timeout | undefined;

  /**
   * `ms` may be `Infinity`. `timeoutError` is called when the time has expired, with the last failure that the transport has tried
   * again.
   */
  constructor(ms: number, timeoutError: (cause: Error | undefined) => SingletonError, parent: LazyAbortController) {
    super();
    this.#timeoutError = timeoutError;
    this.#remaining = ms;
    this.#part = Math.ceil(ms / PARTS);
    if (ms < Infinity) this.#startPart();
    this.#removeListener = parent.onAbort(() => parent.reason && this.abort(parent.reason));
  }

  /**
   * Waits before the next attempt, twice as long for each of the last `failures`, but no longer than half of the time that is
   * left, or than `longest`, or until `woken` resolves. Rejects with the reason as soon as it aborts.
   */
  async backoff(failures = 0, woken?: Promise<void>, longest: number = MAX_BACKOFF_AFTER_FAILURES): Promise<void> {
    const most = Math.min(MAX_BACKOFF * 2 ** failures, longest);
    const left = this.#remaining + Math.max(0, this.#partEndsAt - now());
    const pause = Math.min(MIN_BACKOFF + Math.random() * (most - MIN_BACKOFF), left / 2);
    let timer: NodeJS.Timeout | undefined;
    // An attempt that had less time could not tell a silent host from a free endpoint. So wait for the end.
    const paused = new Promise<void>((resolve) => {
      if (pause >= MIN_BACKOFF) timer = setTimeout(resolve, pause);
    });
    await raceAbort(woken ? Promise.race([paused, woken]) : paused, this).finally(() => clearTimeout(timer));
  }

  /** Ends the timer and the subscription to the parent. */
  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#removeListener();
  }

  #startPart(): void {
    const part = Math.min(this.#part, this.#remaining);
    this.#remaining -= part;
    this.#partEndsAt = now() + part;
    this.#timer = setTimeout(() => this.#onPartElapsed(), part);
  }

  #onPartElapsed(): void {
    if (this.#remaining > 0) return this.#startPart();
    // Timers run before what has arrived is read.
    afterTwoTurns(() => this.#timer && this.abort(this.#timeoutError(this.failure)));
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
  const abort = (): void => controller.abort(abortedError(signal?.reason));
  if (signal?.aborted) abort();
  else signal?.addEventListener('abort', abort, { once: true });
  return () => signal?.removeEventListener('abort', abort);
}

function abortedError(cause: unknown): SingletonError {
  const message =
    'The signal aborted this launch. If it was delivered before, it may have run: check before you repeat it.';
  return new SingletonError('ERR_SINGLETON_RELEASED', message, { cause });
}

/** Why a Singleton that was released, or aborted by its signal, does not acquire again. */
export function releasedError(endpoint: string, signal: AbortSignal | undefined): SingletonError {
  const how = signal?.aborted ? 'aborted by its signal' : 'released';
  const message = `This Singleton was ${how}; create a new one to acquire ${endpoint}.`;
  return new SingletonError('ERR_SINGLETON_RELEASED', message, signal?.aborted ? { cause: signal.reason } : undefined);
}
