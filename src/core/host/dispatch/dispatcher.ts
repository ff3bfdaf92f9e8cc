import { clientGoneError, SingletonError } from '../../../interface/errors.ts';
import { publish } from '../../diagnostics.ts';
import type { Arrival } from '../../events.ts';
import type { HostContext } from './context.ts';
import type { HostClient } from './client.ts';
import type { Completion } from './completion.ts';
import { callSafely, type ListenerResult } from './call-safely.ts';
import { LaunchQueue } from './queue.ts';
import type { Warnings } from './warnings.ts';

/** A launch that is dispatched, or waits for a listener. */
export interface QueuedLaunch<T, R> extends Arrival<T, R> {
  readonly client: HostClient<R>;
  /** `undefined` if the launch does not wait. */
  readonly completion: Completion | undefined;
}

/** Calls listeners, observers and iterators, in order. Launches wait until there are some, and until all iterators are ready. */
export class Dispatcher<T, R> {
  readonly #context: HostContext<T, R>;
  readonly #warnings: Warnings<T, R>;
  readonly #queue: LaunchQueue<QueuedLaunch<T, R>>;
  readonly #onWorkEnd: () => void;
  /** Listeners whose promise has not settled. */
  #atWork = 0;
  #isEnded = false;

  /** `onWorkEnd` is called when a listener has finished. */
  constructor(context: HostContext<T, R>, warnings: Warnings<T, R>, onWorkEnd: () => void) {
    this.#context = context;
    this.#onWorkEnd = onWorkEnd;
    this.#warnings = warnings;
    this.#queue = new LaunchQueue(context.options);
  }

  /** The argument sets that wait. */
  get pending(): readonly T[] {
    return this.#queue.entries.map(({ args }) => args);
  }

  /** How many launches wait in the queue for a result while no listener is at work with them. */
  get waiting(): number {
    return this.#queue.entries.filter(({ client, completion }) => client.waiting && completion?.pending === 0).length;
  }

  /** Whether no launch waits, and no listener is at work. */
  get isIdle(): boolean {
    return this.#queue.size === 0 && this.#atWork === 0;
  }

  get hasListeners(): boolean {
    const { subscribers, emitter } = this.#context;
    const { observers, iterators, handler } = subscribers;
    return handler !== undefined || observers.size > 0 || iterators.size > 0 || emitter.listenerCount('args') > 0;
  }

  /** `bytes` is the launch's size on the wire. `false` if the queue is full: the launch was dropped. */
  dispatch(launch: QueuedLaunch<T, R>, bytes: number): boolean {
    this.#drain();
    if (this.#isReady) {
      this.#call(launch);
      return true;
    }
    if (!this.#queue.enqueue(launch, bytes)) return false;
    const { client } = launch;
    if (client.waiting) client.signal.addEventListener('abort', () => this.#removeAborted(launch), { once: true });
    return true;
  }

  /** Dispatches what waits on the next tick, so that all listeners that are added together get it. */
  scheduleDrain(): void {
    if (this.hasListeners && (this.#queue.size > 0 || this.#isEnded)) process.nextTick(() => this.#drain());
  }

  /** No further launch arrives. Iterators end when the queue is empty. */
  end(): void {
    this.#context.subscribers.observers.clear();
    this.#isEnded = true;
    this.#drain();
    const { server } = this.#context;
    if (server.isDeposed) this.warnOfPending(`This process no longer holds ${server.endpoint}`);
  }

  /** Reports launches that were accepted and are not dispatched, because they would be lost in silence. */
  warnOfPending(why: string): void {
    const { size } = this.#queue;
    if (size === 0) return;
    const message = `${why}, and ${size} launches wait that were accepted (app.arguments). They are lost if the process ends now.`;
    this.#warnings.warn(new SingletonError('ERR_SINGLETON_RELEASED', message));
  }

  #drain(): void {
    while (this.#isReady) {
      const launch = this.#queue.dequeue();
      if (!launch) break;
      this.#call(launch);
    }
    const { server, subscribers } = this.#context;
    if (this.#isEnded && (this.#queue.size === 0 || server.isDeposed)) subscribers.end();
  }

  get #isReady(): boolean {
    if (!this.hasListeners || !this.#context.server.checkHeld()) return false;
    const { iterators, handler } = this.#context.subscribers;
    for (const { isReady } of iterators) if (!isReady) return false;
    return handler?.isReady ?? true;
  }

  #removeAborted(launch: QueuedLaunch<T, R>): void {
    if (this.#queue.delete(launch) && !this.#context.server.isDeposed) this.#warnings.warn(clientGoneError());
  }

  #call(launch: QueuedLaunch<T, R>): void {
    const { args, client, completion } = launch;
    const { server, subscribers } = this.#context;
    const { handler } = subscribers;
    // Without arguments and without a session, a launch is for the handler alone.
    const isForListeners = !isEmpty(args) || completion !== undefined;
    const onError = (cause: unknown): void => this.#warnings.listenerFailed('args', cause, client);
    completion?.begin();
    if (handler || isForListeners)
      publish('socket-singleton:dispatch', () => ({ endpoint: server.endpoint, args, client }));
    // First, so that it is at work before a listener may release.
    const answer = handler && callSafely(() => handler.answer(launch), undefined, [], onError);
    const results = isForListeners ? this.#callListeners(launch, onError) : [];
    this.track([...results, answer ?? true]);
    completion?.add(results, answer);
    completion?.finish();
  }

  /** Counts listeners as at work until their promises have settled. */
  track(results: readonly ListenerResult[]): void {
    for (const result of results) {
      if (typeof result === 'boolean') continue;
      this.#atWork += 1;
      void result.then(() => {
        this.#atWork -= 1;
        this.#onWorkEnd();
        return undefined;
      });
    }
  }

  #callListeners({ args, client }: QueuedLaunch<T, R>, onError: (cause: unknown) => void): readonly ListenerResult[] {
    const { subscribers, emitter } = this.#context;
    // Copies: an observer or iterator that is added meanwhile gets the next launch.
    const observers = [...subscribers.observers];
    const iterators = [...subscribers.iterators];
    const results: ListenerResult[] = [];
    for (const [observer, stored] of observers)
      results.push(callSafely(observer, undefined, [args, ...stored], onError));
    for (const listener of emitter.rawListeners('args'))
      results.push(callSafely(listener, emitter, [args, client], onError));
    // A listener may have ended the loop.
    for (const iterator of iterators) if (iterator.isReady) results.push(iterator.push({ args, client }));
    return results;
  }
}

/** Whether a launch has no arguments. */
export function isEmpty(args: unknown): boolean {
  return Array.isArray(args) && args.length === 0;
}
