import type { Session } from '../../../interface/session.ts';
import { clearTimeout, setTimeout } from '../../../interface/timers.ts';
import type { ListenerResult } from './call-safely.ts';

/**
 * Milliseconds from when a stream that a listener used is idle, to the end of the session: a child process whose output was
 * piped reports its exit status a moment later.
 */
const AUTO_EXIT_DELAY = 200;

/**
 * Decides when the session of a waiting launch ends. The result of an only listener is sent at once; that of several when all
 * have settled, because the others may still write; that of the handler at once, whatever others do. Without a result, the
 * session ends when all have settled and no stream is in use: with an error if one of them failed, else with status 0.
 *
 * For each launch the host calls `begin` and `add` around the listeners of `client`; then, at once or when the queue comes to
 * it, `begin`, `add` and `finish` around those of `args`; and `dispatched` when it knows which of the two it is.
 */
export class Completion {
  /** Listeners that were called. */
  called = 0;
  /** Listeners whose promise has not settled. */
  pending = 0;
  #hasFailed = false;
  /** The handler has answered, or failed. */
  #isHandled = false;
  /** Calls under way. The first one is the host's, which has not decided whether the launch is dispatched now. */
  #calls = 1;
  #allCalled = false;
  #wasInUse = false;
  #autoExit: NodeJS.Timeout | undefined;
  readonly #session: Session<never>;
  readonly #onChange: () => void;
  readonly #onLate: () => void;

  /** `onLate` is called once if a listener writes or sets a result after the session has ended without one. */
  constructor(session: Session<never>, onChange: () => void, onLate: () => void) {
    this.#session = session;
    this.#onChange = onChange;
    this.#onLate = onLate;
    session.onChange = this.#advance;
  }

  /** Listeners are about to be called: nothing ends before `add`. */
  begin(): void {
    this.#calls += 1;
  }

  /** What the listeners returned that were called, and the handler if there is one, which returns a promise. */
  add(results: readonly ListenerResult[], answer?: ListenerResult): void {
    this.#calls -= 1;
    this.called += results.length;
    for (const result of results) this.#add(result, this.#settle);
    if (answer !== undefined) {
      this.called += 1;
      this.#add(answer, this.#settleHandler);
    }
    this.#changed();
  }

  /** What the listeners of a signal returned. They are no answer of their own: an only listener stays the only one. */
  addSignal(results: readonly ListenerResult[]): void {
    for (const result of results) this.#add(result, this.#settle);
    this.#changed();
  }

  #add(result: ListenerResult, settle: (isSuccess: boolean) => void): void {
    if (typeof result === 'boolean') {
      this.#hasFailed ||= !result;
    } else {
      this.pending += 1;
      void result.then(settle);
    }
  }

  /** The launch was dispatched, queued or dropped. Until then nothing ends, because its listeners may still write. */
  dispatched(): void {
    this.#calls -= 1;
    this.#changed();
  }

  /** No further listener is called. */
  finish(): void {
    this.#allCalled = true;
    this.#changed();
  }

  readonly #settle = (isSuccess: boolean): void => {
    this.pending -= 1;
    this.#hasFailed ||= !isSuccess;
    this.#changed();
  };

  readonly #settleHandler = (isSuccess: boolean): void => {
    this.#isHandled = true;
    if (!isSuccess) this.#session.fail();
    this.#settle(isSuccess);
  };

  #changed(): void {
    this.#advance();
    this.#onChange();
  }

  readonly #advance = (): void => {
    const session = this.#session;
    if (this.#calls > 0) return;
    if (session.isSettled) {
      clearTimeout(this.#autoExit);
      if (this.pending === 0 || this.called === 1 || this.#isHandled) session.end();
    } else if (this.#allCalled && this.pending === 0) {
      if (this.#hasFailed) session.fail();
      else this.#exitWhenIdle();
    }
  };

  #exitWhenIdle(): void {
    clearTimeout(this.#autoExit);
    if (this.#isInUse()) return;
    // Later, because the callback of a stream that has just ended may set a result, or use another stream.
    this.#autoExit = setTimeout(() => this.#isInUse() || this.#exit(), this.#wasInUse ? AUTO_EXIT_DELAY : 0);
  }

  #exit(): void {
    const session = this.#session;
    if (!session.exit(0)) return;
    session.onLate = () => {
      session.onLate = () => {};
      this.#onLate();
    };
  }

  #isInUse(): boolean {
    const { isInUse, isFlushed } = this.#session;
    this.#wasInUse ||= isInUse;
    return isInUse || !isFlushed;
  }
}
