import type { Attended } from '../../interface/codec.ts';
import type { Done } from './emit-safely.ts';

/** Knows who was given one launch, who is still at work with it, and whether one has failed. */
export class Attendance implements Attended {
  given = 0;
  atWork = 0;
  hasFailed = false;
  isComplete = false;
  isBeingGiven = false;
  readonly #onChange: (attended: Attended) => void;

  constructor(onChange: (attended: Attended) => void) {
    this.#onChange = onChange;
  }

  /** Hands it to some, who say whether they did their work. */
  give(hand: () => readonly Done[]): void {
    this.isBeingGiven = true;
    const work = hand();
    this.isBeingGiven = false;
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
