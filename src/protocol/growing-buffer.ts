const EMPTY = new Uint8Array(0);

/**
 * Collects chunks in one buffer that doubles. In a list of chunks, a single byte would cost a hundred times its size.
 */
export class GrowingBuffer {
  #bytes = EMPTY;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** The appended bytes, as a view that is valid until the next call. */
  get bytes(): Uint8Array {
    return this.#length === this.#bytes.length ? this.#bytes : this.#bytes.subarray(0, this.#length);
  }

  /** The buffer grows to `capacity` at most. */
  append(chunk: Uint8Array, capacity: number): void {
    const length = this.#length + chunk.length;
    if (length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(length, Math.min(2 * this.#bytes.length, capacity)));
      if (this.#length > 0) grown.set(this.bytes);
      this.#bytes = grown;
    }
    this.#bytes.set(chunk, this.#length);
    this.#length = length;
  }

  /** Returns the appended bytes and clears the buffer. */
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
