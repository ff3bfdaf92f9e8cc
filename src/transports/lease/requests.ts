import { SingletonError } from '../../interface/errors.ts';
import { clearTimeout, setImmediate, setTimeout } from '../../interface/timers.ts';
import type { AttemptOptions } from '../../interface/transport.ts';
import type { StoreOptions } from './store.ts';

/** What ends requests early, and what is called with the error of each one that is sent again. */
export interface RequestOptions extends AttemptOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Its name is that of the reason of `AbortSignal.timeout()`. */
class RequestTimeout extends Error {
  override readonly name = 'TimeoutError';

  constructor(ms: number) {
    super(`the store did not answer within ${Math.round(ms)} ms`);
  }
}

/** Whether the request was aborted and is not sent again. After a timeout it may be. */
export function isGivenUp({ aborted, reason }: AbortSignal): boolean {
  return aborted && Object(reason).name !== 'TimeoutError';
}

export type Send<T> = (options: StoreOptions) => Promise<T>;

/** Sends a request. Rejects if no answer arrives within `ms`, or with the reason when `signal` aborts. */
export async function request<T>(send: Send<T>, ms: number, signal?: AbortSignal): Promise<T> {
  return bounded(send, ms, signal, (timer) => timer);
}

/** As `request`, but its timer does not keep the process alive. */
export async function backgroundRequest<T>(send: Send<T>, ms: number, signal?: AbortSignal): Promise<T> {
  return bounded(send, ms, signal, (timer) => timer.unref());
}

async function bounded<T>(
  send: Send<T>,
  ms: number,
  signal: AbortSignal | undefined,
  started: (timer: NodeJS.Timeout) => NodeJS.Timeout,
): Promise<T> {
  signal?.throwIfAborted();
  const controller = new AbortController();
  const abort = (): void => controller.abort(signal?.reason);
  signal?.addEventListener('abort', abort, { once: true });
  const timer = started(setTimeout(() => controller.abort(new RequestTimeout(ms)), ms));
  try {
    return await abortable(send(controller), controller.signal);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  }
}

/**
 * Settles as the promise does, or rejects with the reason if the signal aborts before. At the end of its time, the store has a turn for an
 * error of its own, which names what did not answer.
 */
function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      if (signal.reason instanceof RequestTimeout) setImmediate(() => reject(signal.reason));
      else reject(signal.reason);
    };
    // A function of the user that the store has called may have aborted it.
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject);
  });
}

/** Milliseconds before the second attempt, and before each one after many. */
const MIN_PAUSE = 50;
const MAX_PAUSE = 1000;

/** Sends a request until it is answered, with growing pauses. Rejects on abort, and if another attempt is of no use. */
export async function persistentRequest<T>(send: Send<T>, ms: number, options: RequestOptions): Promise<T> {
  const { signal, onRetry } = options;
  for (let failures = 0; ; failures += 1) {
    try {
      return await request(send, ms, signal);
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof SingletonError) throw error;
      onRetry?.(toError(error));
    }
    await pause(jitter(Math.min(MIN_PAUSE * 2 ** failures, MAX_PAUSE)), signal);
  }
}

/** Between half and all of it, so that several processes do not retry in lockstep. */
export function jitter(ms: number): number {
  return (ms * (1 + Math.random())) / 2;
}

/** Resolves after the time, or when `woken` aborts. Rejects with the reason when `signal` aborts. */
export async function pause(ms: number, signal: AbortSignal | undefined, woken?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  await new Promise<void>((resolve) => {
    const settle = (): void => {
      clearTimeout(timer);
      for (const each of [signal, woken]) each?.removeEventListener('abort', settle);
      resolve();
    };
    const timer = setTimeout(settle, ms);
    for (const each of [signal, woken]) each?.addEventListener('abort', settle, { once: true });
  });
  signal?.throwIfAborted();
}

export function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
