/** Launches that wait, in order, until somebody listens. */
export class Inbox<Entry> {
  readonly #max: number;
  #entries: Entry[] = [];

  constructor(max: number) {
    this.#max = max;
  }

  /** `false` when it is full: the entry was not taken. */
  put(entry: Entry): boolean {
    if (this.#entries.length >= this.#max) return false;
    this.#entries.push(entry);
    return true;
  }

  take(): Entry | undefined {
    return this.#entries.shift();
  }

  get entries(): readonly Entry[] {
    return this.#entries;
  }
}
