import { publish } from '../../diagnostics.ts';
import type { VerifyFailure } from '../../events.ts';
import type { HostContext } from './context.ts';
import { RateLimit, type Warnings } from './warnings.ts';

/** Counts the clients that did not prove the secret, and reports 100 of them in ten seconds at most. */
export class VerifyFailures<T, R> {
  readonly #context: HostContext<T, R>;
  readonly #warnings: Warnings<T, R>;
  readonly #emit: (failure: VerifyFailure) => void;
  readonly #limit: RateLimit;
  #count = 0;
  /** How many had no event since the last one. */
  #suppressed = 0;

  constructor(context: HostContext<T, R>, warnings: Warnings<T, R>, emit: (failure: VerifyFailure) => void) {
    this.#context = context;
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
    publish('socket-singleton:verifyFailed', () => ({ endpoint: this.#context.server.endpoint, failure }));
    this.#emit(failure);
  }
}
