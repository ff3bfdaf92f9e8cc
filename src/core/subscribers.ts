import type { Arrival } from './events.ts';
import type { ListenerResult } from './host/emit-safely.ts';
import type { Observer } from './host/observers.ts';
/** Who listens to launches beside the `args` listeners, from before there is a host. */
export class Subscribers<T, R> {
  // What is stored fits its observer: `trace` takes the two together.
  readonly observers: Map<Observer<T, any[]>, readonly unknown[]> = new Map();
  readonly iterators: Set<LaunchIterator<Arrival<T, R>>> = new Set();
  readonly #changed: () => void;

  /** `changed`: a loop waits for the next launch, or was left. */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  iterate(): LaunchIterator<Arrival<T, R>> {
    const loop = new LaunchIterator<Arrival<T, R>>({
      onPull: this.#changed,
      onReturn: () => {
        this.iterators.delete(loop);
        this.#changed();
      },
    });
    this.iterators.add(loop);
    this.#changed();
    return loop;
  }

  /** No launch comes any more. */
  end(): void {
    this.observers.clear();
    for (const loop of this.iterators) loop.end();
  }
}

/** What an iterator asks of its owner. */
export interface ArrivalsOwner {
  /** It waits for the next launch. */
  readonly onPull: () => void;
  /** It wants no more. */
  readonly onReturn: () => void;
}

type Result<Entry> = IteratorResult<Entry, undefined>;

/** Launches for a `for await` loop, each when it has done with the one before. */
export class LaunchIterator<Entry> implements AsyncIterableIterator<Entry, undefined> {
  readonly #owner: ArrivalsOwner;
  readonly #waiting: ((result: Result<Entry>) => void)[] = [];
  readonly #unfinished: ((isDone: boolean) => void)[] = [];
  #isEnded = false;

  constructor(owner: ArrivalsOwner) {
    this.#owner = owner;
  }

  /** Whether it takes a launch now. */
  get isReady(): boolean {
    return this.#waiting.length > 0;
  }

  /** Hands a launch to a loop that is ready. What it gives back settles when the loop has done with it. */
  push(entry: Entry): ListenerResult {
    const take = this.#waiting.shift();
    take?.({ value: entry, done: false });
    return new Promise((resolve) => this.#unfinished.push(resolve));
  }

  /** There are no more. */
  end(): void {
    this.#isEnded = true;
    for (const take of this.#waiting.splice(0)) take(DONE);
  }

  next(): Promise<Result<Entry>> {
    this.#finish(true);
    if (this.#isEnded) return Promise.resolve(DONE);
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#owner.onPull();
    });
  }

  /** The loop was left, by a `break` or an error, which look the same: what it has not answered has failed. */
  return(): Promise<Result<Entry>> {
    this.end();
    this.#owner.onReturn();
    this.#finish(false);
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #finish(isDone: boolean): void {
    for (const finish of this.#unfinished.splice(0)) finish(isDone);
  }
}

const DONE = { value: undefined, done: true } as const;
