import type { Done } from './emitter.ts';

/** Knows when all that were given one launch have done their work with it, and whether one of them failed. */
export class Attendance {
  readonly #onSettled: (hasFailed: boolean) => void;
  #atWork = 0;
  #isComplete = false;
  #hasFailed = false;

  constructor(onSettled: (hasFailed: boolean) => void) {
    this.#onSettled = onSettled;
  }

  add(work: readonly Done[]): void {
    for (const done of work) {
      if (typeof done === 'boolean') {
        this.#hasFailed ||= !done;
      } else {
        this.#atWork += 1;
        void done.then((isDone) => this.#leave(isDone));
      }
    }
  }

  /** Nobody else is given it. */
  complete(): void {
    this.#isComplete = true;
    this.#settle();
  }

  #leave(isDone: boolean): void {
    this.#atWork -= 1;
    this.#hasFailed ||= !isDone;
    this.#settle();
  }

  #settle(): void {
    if (this.#isComplete && this.#atWork === 0) this.#onSettled(this.#hasFailed);
  }
}
