import { Arrivals } from './arrivals.ts';
import type { Arrival } from './events.ts';
import type { Observer } from './observers.ts';

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
