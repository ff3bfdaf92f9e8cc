import type { Duplex } from 'node:stream';
import { isUint8Array } from '../interface/bytes.ts';

const EVENTS = ['readable', 'end', 'close'] as const;

/** Reads a stream that nothing else reads. It listens from the first read that has to wait until `release`. */
export class StreamReader {
  readonly stream: Duplex;
  /** Whether the last read got nothing. Only after such a one does a stream that pushes while it is read announce more. */
  #isEmpty = true;
  /** What to call when more has arrived. */
  #retry: (() => void) | undefined;
  /** `undefined` while it does not listen. */
  #onEvent: (() => void) | undefined;

  constructor(stream: Duplex) {
    this.stream = stream;
  }

  /** What has arrived, if it is `size` bytes or more; all of it without a size. */
  tryRead(size?: number): Uint8Array | undefined {
    const bytes: unknown = this.stream.read(size);
    this.#isEmpty = bytes === null;
    return isUint8Array(bytes) ? bytes : undefined;
  }

  /** The next `size` bytes, or fewer if the stream ends or closes first. Later bytes stay in it. */
  readUpTo(size: number): Promise<Uint8Array> {
    return this.readUntil(
      () => this.tryRead(size),
      () => new Uint8Array(0),
    );
  }

  /**
   * Calls `take` now and whenever more has arrived, until it returns a value, or `onEnd` if the stream ends or closes first. Rejects
   * with what they throw.
   */
  readUntil<Value, End>(take: () => Value | undefined, onEnd: () => End): Promise<Value | End> {
    return new Promise((resolve, reject) => {
      const tryTake = (): void => {
        try {
          let value = take();
          while (value === undefined && !this.#isEmpty) value = take();
          if (value !== undefined) resolve(value);
          else if (this.stream.readableEnded || this.stream.destroyed) resolve(onEnd());
          else this.#wait(tryTake);
        } catch (error) {
          reject(error);
        }
      };
      tryTake();
    });
  }

  /** Another reader may follow. */
  release(): void {
    if (this.#onEvent) for (const event of EVENTS) this.stream.off(event, this.#onEvent);
    this.#onEvent = undefined;
  }

  #wait(retry: () => void): void {
    this.#retry = retry;
    if (this.#onEvent) return;
    this.#onEvent = () => {
      const latest = this.#retry;
      this.#retry = undefined;
      latest?.();
    };
    for (const event of EVENTS) this.stream.on(event, this.#onEvent);
  }
}
