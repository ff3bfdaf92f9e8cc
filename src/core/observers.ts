import { isThenable, type Done } from './emitter.ts';
import { SingletonError } from './errors.ts';

/** A callback of `trace`: the arguments of one launch, then what was stored with it. */
export type Observer<T, Stored extends readonly unknown[]> = (args: T, ...stored: Stored) => unknown;

/** The Python package's observers. What one throws, or rejects with, is a warning and keeps no other from being called. */
export class Observers<T> {
  // What is stored fits its observer: `set` takes the two together.
  readonly #stored = new Map<Observer<T, any[]>, readonly unknown[]>();
  readonly #onWarning: (warning: SingletonError) => void;

  constructor(onWarning: (warning: SingletonError) => void) {
    this.#onWarning = onWarning;
  }

  get size(): number {
    return this.#stored.size;
  }

  set<Stored extends readonly unknown[]>(observer: Observer<T, Stored>, stored: Stored): void {
    this.#stored.set(observer, stored);
  }

  delete<Stored extends readonly unknown[]>(observer: Observer<T, Stored>): void {
    this.#stored.delete(observer);
  }

  clear(): void {
    this.#stored.clear();
  }

  notify(args: T): Done[] {
    return Array.from(this.#stored).map(([observer, stored]) => {
      try {
        const result = observer(args, ...stored);
        return isThenable(result) ? Promise.resolve(result).then(() => true, this.#failed) : true;
      } catch (cause) {
        return this.#failed(cause);
      }
    });
  }

  readonly #failed = (cause: unknown): false => {
    this.#onWarning(new SingletonError('ERR_SINGLETON_OBSERVER_FAILED', 'An observer threw or rejected.', { cause }));
    return false;
  };
}
