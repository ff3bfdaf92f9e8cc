import type { Arrival } from './events.ts';
import type { Done } from './host/emit-safely.ts';
import type { Observer } from './host/observers.ts';
/** Who listens to launches beside the `args` listeners, from before there is a host. */
export class Audience<T, R> {
  // What is stored fits its observer: `trace` takes the two together.
  readonly observers: Map<Observer<T, any[]>, readonly unknown[]> = new Map();
  readonly loops: Set<Arrivals<Arrival<T, R>>> = new Set();
  readonly #changed: () => void;

  /** `changed`: a loop waits for the next launch, or was left. */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  loop(): Arrivals<Arrival<T, R>> {
    const loop = new Arrivals<Arrival<T, R>>({
      wanted: this.#changed,
      left: () => {
        this.loops.delete(loop);
        this.#changed();
      },
    });
    this.loops.add(loop);
    this.#changed();
    return loop;
  }

  /** No launch comes any more. */
  end(): void {
    this.observers.clear();
    for (const loop of this.loops) loop.end();
  }
}

/** What an iterator asks of its owner. */
export interface ArrivalsOwner {
  /** It waits for the next launch. */
  readonly wanted: () => void;
  /** It wants no more. */
  readonly left: () => void;
}

type Result<Entry> = IteratorResult<Entry, undefined>;

/** Launches for a `for await` loop, each when it has done with the one before. */
export class Arrivals<Entry> implements AsyncIterableIterator<Entry, undefined> {
  readonly #owner: ArrivalsOwner;
  readonly #waiting: ((result: Result<Entry>) => void)[] = [];
  readonly #unfinished: ((isDone: boolean) => void)[] = [];
  #isOver = false;

  constructor(owner: ArrivalsOwner) {
    this.#owner = owner;
  }

  /** Whether it takes a launch now. */
  get isReady(): boolean {
    return this.#waiting.length > 0;
  }

  /** Hands a launch to a loop that is ready. What it gives back settles when the loop has done with it. */
  give(entry: Entry): Done {
    const take = this.#waiting.shift();
    take?.({ value: entry, done: false });
    return new Promise((resolve) => this.#unfinished.push(resolve));
  }

  /** There are no more. */
  end(): void {
    this.#isOver = true;
    for (const take of this.#waiting.splice(0)) take(OVER);
  }

  next(): Promise<Result<Entry>> {
    this.#finish(true);
    if (this.#isOver) return Promise.resolve(OVER);
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#owner.wanted();
    });
  }

  /** The loop was left, by a `break` or an error, which look the same: what it has not answered has failed. */
  return(): Promise<Result<Entry>> {
    this.end();
    this.#owner.left();
    this.#finish(false);
    return Promise.resolve(OVER);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #finish(isDone: boolean): void {
    for (const finish of this.#unfinished.splice(0)) finish(isDone);
  }
}

const OVER = { value: undefined, done: true } as const;
