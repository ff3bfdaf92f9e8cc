import type { Attended } from '../codecs/codec.ts';
import type { Done } from './emitter.ts';

/** Knows who was given one launch, who is still at work with it, and whether one has failed. */
export class Attendance implements Attended {
  given = 0;
  atWork = 0;
  hasFailed = false;
  isComplete = false;
  readonly #onChange: (attended: Attended) => void;

  constructor(onChange: (attended: Attended) => void) {
    this.#onChange = onChange;
  }

  add(work: readonly Done[]): void {
    for (const done of work) {
      this.given += 1;
      if (typeof done === 'boolean') {
        this.hasFailed ||= !done;
      } else {
        this.atWork += 1;
        void done.then((isDone) => this.#leave(isDone));
      }
    }
    this.#onChange(this);
  }

  /** Nobody else is given it. */
  complete(): void {
    this.isComplete = true;
    this.#onChange(this);
  }

  #leave(isDone: boolean): void {
    this.atWork -= 1;
    this.hasFailed ||= !isDone;
    this.#onChange(this);
  }
}
