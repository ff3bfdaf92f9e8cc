const EMPTY = new Uint8Array(0);

/** Bytes that come in chunks, kept in one buffer that doubles: as a list of chunks, single bytes would cost a hundredfold. */
export class GrowingBuffer {
  #bytes = EMPTY;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** What was appended: a view, which holds until the next call. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** `capacity` is what all of it may come to: the buffer never grows beyond. */
  append(chunk: Uint8Array, capacity: number): void {
    const length = this.#length + chunk.length;
    if (length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(length, Math.min(2 * this.#bytes.length, capacity)));
      grown.set(this.bytes);
      this.#bytes = grown;
    }
    this.#bytes.set(chunk, this.#length);
    this.#length = length;
  }

  /** Hands over what was appended, and starts anew. */
  take(): Uint8Array {
    const { bytes } = this;
    this.clear();
    return bytes;
  }

  clear(): void {
    this.#bytes = EMPTY;
    this.#length = 0;
  }
}
