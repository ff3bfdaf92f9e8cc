import { clearTimeout, now, setTimeout } from '../../interface/timers.ts';

/** Milliseconds between two looks at a host that is busy. */
const BUSY_INTERVAL = 1000;

/** Calls back once a host has been idle for a time. It does not keep the process alive. */
export class IdleTimer {
  readonly #ms: number;
  readonly #isIdle: () => boolean;
  readonly #onExpired: () => void;
  #timer: NodeJS.Timeout | undefined;
  #lastActivity = 0;

  constructor(ms: number, isIdle: () => boolean, onExpired: () => void) {
    this.#ms = ms;
    this.#isIdle = isIdle;
    this.#onExpired = onExpired;
  }

  start(): void {
    this.touch();
    if (this.#ms > 0) this.#wait(this.#ms);
  }

  /** Something began or ended: the time starts anew. */
  touch(): void {
    this.#lastActivity = now();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #wait(ms: number): void {
    this.#timer = setTimeout(() => this.#check(), ms).unref();
  }

  #check(): void {
    const left = this.#isIdle() ? this.#lastActivity + this.#ms - now() : Math.min(this.#ms, BUSY_INTERVAL);
    if (left > 0) this.#wait(Math.ceil(left));
    else this.#onExpired();
  }
}
