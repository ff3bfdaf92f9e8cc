const TOLD = -1;

/** Entries in the order in which they came. Tells of each, once, when its time is over, by one timer for all. */
export class Expiry<Entry> implements Iterable<Entry> {
  readonly #after: number;
  readonly #expired: (entry: Entry) => void;
  readonly #due = new Map<Entry, number>();
  #timer: NodeJS.Timeout | undefined;

  /** Each has `after` milliseconds, which keep no process alive. */
  constructor(after: number, expired: (entry: Entry) => void) {
    this.#after = after;
    this.#expired = expired;
  }

  get size(): number {
    return this.#due.size;
  }

  [Symbol.iterator](): IterableIterator<Entry> {
    return this.#due.keys();
  }

  add(entry: Entry): void {
    this.#due.set(entry, performance.now() + this.#after);
    this.#timer ??= setTimeout(this.#look, this.#after).unref();
  }

  delete(entry: Entry): void {
    this.#due.delete(entry);
    if (this.#due.size > 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  readonly #look = (): void => {
    const now = performance.now();
    const expired: Entry[] = [];
    this.#timer = undefined;
    for (const [entry, due] of this.#due) {
      if (due > now) {
        this.#timer = setTimeout(this.#look, due - now).unref();
        break;
      }
      if (due !== TOLD) expired.push(entry);
      // Whether it stays is its owner's.
      this.#due.set(entry, TOLD);
    }
    for (const entry of expired) this.#expired(entry);
  };
}
