export interface QueueLimits {
  readonly maxPending: number;
  readonly maxMessageBytes: number;
}

/** Together, the entries that wait may have the bytes of this many messages of the largest size. */
const MAX_LARGEST = 16;

/** Launches that wait for a listener, in order. Their number and their bytes are bounded. */
export class LaunchQueue<Entry extends { readonly args: unknown; readonly client?: { readonly env: object } }> {
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  readonly #waiting: { readonly entry: Entry; readonly weight: number }[] = [];
  #bytes = 0;

  constructor({ maxPending, maxMessageBytes }: QueueLimits) {
    this.#maxEntries = maxPending;
    this.#maxBytes = MAX_LARGEST * maxMessageBytes;
  }

  /** `bytes` is what the entry had on the wire. `false` when it is full: the entry was not taken. */
  enqueue(entry: Entry, bytes: number): boolean {
    const room = this.#maxBytes - this.#bytes;
    const env = Object.keys(entry.client?.env ?? {}).length === 0 ? 0 : estimateSize(entry.client?.env, room);
    const weight = Math.max(bytes, estimateSize(entry.args, room) + env);
    if (this.#waiting.length >= this.#maxEntries || weight > room) return false;
    this.#waiting.push({ entry, weight });
    this.#bytes += weight;
    return true;
  }

  dequeue(): Entry | undefined {
    const first = this.#waiting.shift();
    this.#bytes -= first?.weight ?? 0;
    return first?.entry;
  }

  /** `false`: it waits no more. */
  delete(entry: Entry): boolean {
    const at = this.#waiting.findIndex((waiting) => waiting.entry === entry);
    const [gone] = at === -1 ? [] : this.#waiting.splice(at, 1);
    this.#bytes -= gone?.weight ?? 0;
    return gone !== undefined;
  }

  get entries(): readonly Entry[] {
    return this.#waiting.map(({ entry }) => entry);
  }

  get size(): number {
    return this.#waiting.length;
  }
}

/** What each value counts, however short it is on the wire: an empty one takes some 64 bytes of memory. */
const VALUE_BYTES = 16;

/**
 * The bytes of a value, as far as they bound what waits: its strings and binaries, and something for each value in it, since
 * what a message becomes can be many times its length. Counts no further than `limit`, so that it ends.
 */
export function estimateSize(value: unknown, limit: number): number {
  let weight = 0;
  const rest: unknown[] = [value];
  while (rest.length > 0 && weight <= limit) {
    const next = rest.pop();
    weight += VALUE_BYTES;
    if (typeof next === 'string') weight += next.length;
    else if (ArrayBuffer.isView(next)) weight += next.byteLength;
    else if (typeof next === 'object' && next !== null) for (const inner of valuesOf(next)) rest.push(inner);
  }
  return weight;
}

/** What a schema returns may have getters that throw. */
function valuesOf(value: object): readonly unknown[] {
  try {
    return Object.values(value);
  } catch {
    return [];
  }
}
