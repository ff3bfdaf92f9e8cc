/** Entries in the order in which they came, each until its time is over: one timer for all, which keeps no process alive. */
export class Expiry<Entry> implements Iterable<Entry> {
  readonly #after: number;
  readonly #expired: (entry: Entry) => void;
  readonly #due = new Map<Entry, number>();
  #timer: NodeJS.Timeout | undefined;

  /** Each has `after` milliseconds. */
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
    let next = Infinity;
    for (const [entry, due] of this.#due) {
      if (due <= now) expired.push(entry);
      else next = Math.min(next, due);
    }
    this.#timer = next < Infinity ? setTimeout(this.#look, next - now).unref() : undefined;
    for (const entry of expired) {
      // Told once; whether it stays is its owner's.
      this.#due.set(entry, Infinity);
      this.#expired(entry);
    }
  };
}
