import type { VerifyFailure } from '../../events.ts';
import { RateLimit, type Warnings } from './warnings.ts';

/** Counts the clients that did not prove the secret, and reports 100 of them in ten seconds at most. */
export class VerifyFailures<T, R> {
  readonly #warnings: Warnings<T, R>;
  readonly #emit: (failure: VerifyFailure) => void;
  readonly #limit: RateLimit;
  #count = 0;
  /** How many had no event since the last one. */
  #suppressed = 0;

  constructor(warnings: Warnings<T, R>, emit: (failure: VerifyFailure) => void) {
    this.#warnings = warnings;
    this.#emit = emit;
    this.#limit = new RateLimit((leftOut) => warnings.warnOfFlood(leftOut, 'refused clients were not reported'));
  }

  add({ reason, remoteAddress }: Pick<VerifyFailure, 'reason' | 'remoteAddress'>): void {
    this.#count += 1;
    this.#suppressed += 1;
    this.#limit.pass(() => {
      const suppressed = this.#suppressed - 1;
      this.#suppressed = 0;
      this.#report({ reason, remoteAddress, time: new Date(), count: this.#count, suppressed });
    });
  }

  /** Reports how many were left out so far. */
  end(): void {
    this.#limit.end();
  }

  #report(failure: VerifyFailure): void {
    this.#warnings.printFailure(failure);
    this.#emit(failure);
  }
}
