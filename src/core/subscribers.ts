import { invalidOptionError } from '../interface/errors.ts';
import { checkOptionNames, type OptionNames } from '../interface/option-names.ts';
import type { Arrival, Client, Observer } from './events.ts';

/**
 * Answers launches: what it returns is the reply. `undefined` stands for exit status 0. What it throws or rejects with fails
 * the launch.
 */
export type Handler<T, R = unknown> = (args: T, client: Client<R>) => R | void | PromiseLike<R | void>;

/** Options of `handle`. */
export interface HandleOptions {
  /**
   * How many launches the handler works on at a time; the others wait in order.
   * @default Infinity
   */
  readonly concurrency?: number | undefined;
}

/** The observers, iterators and the handler of a Singleton. They may be added before it is host. */
export class Subscribers<T, R> {
  // `any`: `trace` accepts only what fits its observer.
  readonly observers: Map<Observer<T, any[]>, readonly unknown[]> = new Map();
  readonly iterators: Set<LaunchIterator<Arrival<T, R>>> = new Set();
  #handler: LimitedHandler<T, R> | undefined;
  /** Called when listeners were added or removed, or an iterator waits for the next launch. */
  readonly onChange: () => void;

  constructor(onChange: () => void) {
    this.onChange = onChange;
  }

  get handler(): LimitedHandler<T, R> | undefined {
    return this.#handler;
  }

  /** @throws SingletonError `ERR_SINGLETON_INVALID_OPTION` if there is a handler already */
  handle(handler: Handler<T, R>, options: HandleOptions): void {
    if (this.#handler) throw invalidOptionError('handler', 'no other one: call removeHandler() first', handler);
    this.#handler = new LimitedHandler(handler, options, this.onChange);
    this.onChange();
  }

  removeHandler(): void {
    this.#handler = undefined;
    this.onChange();
  }

  iterate(): LaunchIterator<Arrival<T, R>> {
    const iterator = new LaunchIterator<Arrival<T, R>>(this.onChange, () => {
      this.iterators.delete(iterator);
      this.onChange();
    });
    this.iterators.add(iterator);
    this.onChange();
    return iterator;
  }

  /** No further launch arrives. */
  end(): void {
    this.observers.clear();
    this.#handler = undefined;
    this.endIterators();
  }

  /** Loops do not outlive a failed `acquire()`: nothing else would tell them. */
  endIterators(): void {
    for (const iterator of this.iterators) iterator.end();
    this.iterators.clear();
  }
}

const OPTION_NAMES: OptionNames<HandleOptions> = { concurrency: true };

/** The handler of a Singleton, with the number of launches that it works on. */
class LimitedHandler<T, R> {
  readonly #handler: Handler<T, R>;
  readonly #concurrency: number;
  readonly #onReady: () => void;
  #active = 0;

  /** `onReady` is called when it can take one more. @throws SingletonError `ERR_SINGLETON_INVALID_OPTION` */
  constructor(handler: Handler<T, R>, options: HandleOptions, onReady: () => void) {
    checkOptionNames(options, OPTION_NAMES);
    const { concurrency = Infinity } = options;
    const isInteger = Number.isSafeInteger(concurrency) && concurrency >= 1;
    if (!isInteger && concurrency !== Infinity)
      throw invalidOptionError('concurrency', 'an integer from 1, or Infinity', concurrency);
    if (typeof handler !== 'function') throw invalidOptionError('handler', 'a function', handler);
    this.#handler = handler;
    this.#concurrency = concurrency;
    this.#onReady = onReady;
  }

  get isReady(): boolean {
    return this.#active < this.#concurrency;
  }

  /** Calls the handler, and sets what it returns as the result. Rejects with what it throws. */
  async answer({ args, client }: Arrival<T, R>): Promise<void> {
    this.#active += 1;
    try {
      const value = await this.#handler(args, client);
      if (!client.waiting) return;
      if (value === undefined) client.exit();
      else client.reply(value);
    } finally {
      this.#active -= 1;
      this.#onReady();
    }
  }
}

type Result<Entry> = IteratorResult<Entry, undefined>;

/** Launches for a `for await` loop, each when the loop has finished with the one before. */
export class LaunchIterator<Entry> implements AsyncIterableIterator<Entry, undefined> {
  readonly #onPull: () => void;
  readonly #onReturn: () => void;
  readonly #waiting: ((result: Result<Entry>) => void)[] = [];
  readonly #unfinished: ((isSuccess: boolean) => void)[] = [];
  #isEnded = false;

  /** `onPull` is called when it waits for the next launch, `onReturn` when the loop was left. */
  constructor(onPull: () => void, onReturn: () => void) {
    this.#onPull = onPull;
    this.#onReturn = onReturn;
  }

  /** Whether it waits for a launch. */
  get isReady(): boolean {
    return this.#waiting.length > 0;
  }

  /** Gives it a launch; it must be ready. Resolves when the loop has finished with it. */
  push(entry: Entry): Promise<boolean> {
    const take = this.#waiting.shift();
    take?.({ value: entry, done: false });
    return new Promise((resolve) => this.#unfinished.push(resolve));
  }

  /** No further launch arrives. */
  end(): void {
    this.#isEnded = true;
    for (const take of this.#waiting.splice(0)) take(DONE);
  }

  next(): Promise<Result<Entry>> {
    this.#finish(true);
    if (this.#isEnded) return Promise.resolve(DONE);
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#onPull();
    });
  }

  /** The loop was left by a `break` or an error, which look the same: a launch without a result has failed. */
  return(): Promise<Result<Entry>> {
    this.end();
    this.#onReturn();
    this.#finish(false);
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #finish(isSuccess: boolean): void {
    for (const finish of this.#unfinished.splice(0)) finish(isSuccess);
  }
}

const DONE = { value: undefined, done: true } as const;
