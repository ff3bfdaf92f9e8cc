import { EventEmitter } from 'node:events';
import type { InspectOptions } from 'node:util';
import type * as Typed from 'typed-emitter';
import { inspectBy } from './describe.ts';
import type { Arrival, Observer, SingletonEvents } from './events.ts';
import type { HandleOptions, Handler, Subscribers } from './subscribers.ts';

type Events<T, R> = SingletonEvents<T, R>;
type Name = keyof SingletonEvents<never>;

/** Node declares less of this class than `typed-emitter` does, which has no code of its own. */
const untyped: any = EventEmitter;

/** Node's `EventEmitter`, with the types of `typed-emitter`. */
export const TypedEmitter: new <Events extends Typed.EventMap>() => Typed.default<Events> = untyped;

/** Options of `release`. */
export interface ReleaseOptions {
  /**
   * Milliseconds, up to 2147483647, in which launches that were dispatched, or wait for a listener, may finish; at least a second.
   * `true`: until they have finished. What is left then is cut: a waiting launch fails with `ERR_SINGLETON_RELEASED`.
   * @default false
   */
  readonly drain?: boolean | number | undefined;
}

/** Everything that takes launches: the events, the observers of `trace`, the iterators of `for await`, and the handler. */
export abstract class LaunchEmitter<T, R> extends TypedEmitter<SingletonEvents<T, R>> {
  readonly #subscribers: Subscribers<T, R>;

  constructor(subscribers: Subscribers<T, R>) {
    super();
    this.#subscribers = subscribers;
  }

  /** Calls `observer(args, ...stored)` for each launch. Tracing an observer again replaces its stored values. */
  trace<Stored extends readonly unknown[]>(observer: Observer<T, Stored>, ...stored: Stored): this {
    this.#subscribers.observers.set(observer, stored);
    return this.#changed();
  }

  /** Removes an observer. An unknown one is ignored. */
  untrace<Stored extends readonly unknown[]>(observer: Observer<T, Stored>): this {
    this.#subscribers.observers.delete(observer);
    return this.#changed();
  }

  /**
   * Answers each launch, also one without arguments: what `handler` returns is the reply, `undefined` stands for exit status 0.
   * What it throws or rejects with fails the launch, and is a `warning`. There is one handler; it answers at once, whatever
   * `args` listeners are at work beside it.
   * @throws SingletonError `ERR_SINGLETON_INVALID_OPTION` if there is a handler already
   * @example
   * app.handle(async ({ file }) => format(file), { concurrency: 4 });
   */
  handle(handler: Handler<T, R>, options: HandleOptions = {}): this {
    this.#subscribers.handle(handler, options);
    return this;
  }

  /** Removes the handler. Launches that it works on are answered. */
  removeHandler(): this {
    this.#subscribers.removeHandler();
    return this;
  }

  /**
   * Launches for a `for await` loop, one at a time: the next one is dispatched when the loop has finished with the one
   * before, also to `args` listeners and observers. Ends after a release, when nothing waits any longer, or if `acquire()`
   * fails. A waiting launch fails if the loop is left before it has a result.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<Arrival<T, R>, undefined> {
    return this.#subscribers.iterate();
  }

  /**
   * Frees the endpoint at once. Resolves after `release` was emitted, when launches on their way are served: after about 1.2
   * seconds at the latest, or after `drain`. A released Singleton cannot acquire again. Does nothing before `acquire()`.
   * @throws SingletonError `ERR_SINGLETON_INVALID_OPTION`
   * @example
   * process.once('SIGTERM', () => app.release({ drain: 10_000 }));
   */
  abstract release(options?: ReleaseOptions): Promise<void>;

  /** The state and every option; the secret is masked. `console.log` prints the same. */
  abstract override toString(options?: InspectOptions): string;

  static {
    inspectBy(this.prototype, (self, options) => self.toString(options));
  }

  /** `release()`, at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }

  /** Frees the endpoint at the end of a `using` block, without waiting for launches on their way. */
  [Symbol.dispose](): void {
    void this.release();
  }

  // The event 'newListener' comes before a listener is added: these report the change after it.

  /**
   * A launch was dispatched. If the listener returns a promise, the session of a waiting launch stays open until it settles.
   * @example
   * app.on('args', (args, client) => client.reply(open(args)));
   */
  override on(event: 'args', listener: Events<T, R>['args']): this;
  /** A client was counted. Emitted before its `args`. */
  override on(event: 'client', listener: Events<T, R>['client']): this;
  /** The endpoint is free: `manual`, `timeout`, `threshold`, `aborted`, `idle`, `replaced` or `lost`. Emitted once. */
  override on(event: 'release', listener: Events<T, R>['release']): this;
  /** The hold time (`timeout`) has expired. `release` follows. */
  override on(event: 'timeout', listener: Events<T, R>['timeout']): this;
  /** A client did not prove the secret. At most 100 in ten seconds; a `warning` has the number of the others. */
  override on(event: 'verifyFailed', listener: Events<T, R>['verifyFailed']): this;
  /** A connection failed, sent invalid bytes, or a listener failed. The host goes on. */
  override on(event: 'warning', listener: Events<T, R>['warning']): this;
  // Written out, so that an error of the compiler lists the names.
  override on<E extends 'args' | 'client' | 'release' | 'timeout' | 'verifyFailed' | 'warning'>(
    event: E,
    listener: Events<T, R>[E],
  ): this;
  override on<E extends Name>(event: E, listener: Events<T, R>[E]): this {
    return super.on(event, listener).#changed();
  }

  override addListener<E extends Name>(event: E, listener: Events<T, R>[E]): this {
    return super.addListener(event, listener).#changed();
  }

  override prependListener<E extends Name>(event: E, listener: Events<T, R>[E]): this {
    return super.prependListener(event, listener).#changed();
  }

  override off<E extends Name>(event: E, listener: Events<T, R>[E]): this {
    return super.off(event, listener).#changed();
  }

  override removeListener<E extends Name>(event: E, listener: Events<T, R>[E]): this {
    return super.removeListener(event, listener).#changed();
  }

  override removeAllListeners(event?: Name): this {
    return (event === undefined ? super.removeAllListeners() : super.removeAllListeners(event)).#changed();
  }

  #changed(): this {
    this.#subscribers.onChange();
    return this;
  }
}
