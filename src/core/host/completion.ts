import type { Attended } from '../../interface/codec.ts';
import type { ListenerResult } from './emit-safely.ts';

/** Knows who was given one launch, who is still at work with it, and whether one has failed. */
export class Completion implements Attended {
  called = 0;
  pending = 0;
  hasFailed = false;
  allCalled = false;
  isCalling = false;
  readonly #onChange: (attended: Attended) => void;

  constructor(onChange: (attended: Attended) => void) {
    this.#onChange = onChange;
  }

  /** Hands it to some, who say whether they did their work. */
  call(hand: () => readonly ListenerResult[]): void {
    this.isCalling = true;
    const work = hand();
    this.isCalling = false;
    for (const done of work) {
      this.called += 1;
      if (typeof done === 'boolean') {
        this.hasFailed ||= !done;
      } else {
        this.pending += 1;
        void done.then((isDone) => this.#leave(isDone));
      }
    }
    this.#onChange(this);
  }

  /** Nobody else is given it. */
  finishCalling(): void {
    this.allCalled = true;
    this.#onChange(this);
  }

  #leave(isDone: boolean): void {
    this.pending -= 1;
    this.hasFailed ||= !isDone;
    this.#onChange(this);
  }
}
