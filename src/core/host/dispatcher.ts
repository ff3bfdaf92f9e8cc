import type { SingletonError } from '../../interface/errors.ts';
import type { Arrival } from '../events.ts';
import type { Audience } from '../subscribers.ts';
import type { Attendance } from './completion.ts';
import { gaveUp } from './connection.ts';
import type { Done } from './emit-safely.ts';
import { notify } from './observers.ts';
import { Inbox, type InboxLimits } from './queue.ts';

/** A launch that is published, and who is given it. */
export interface Publication<T, R> extends Arrival<T, R> {
  readonly attendance: Attendance;
}

/** What a publisher knows of the `args` listeners. */
export interface Listeners<T, R> {
  /** Whether there are any. */
  readonly exist: () => boolean;
  readonly call: (arrival: Arrival<T, R>) => readonly Done[];
  readonly warn: (warning: SingletonError) => void;
}

/** Hands launches to all who listen, in order. They wait until somebody does, and until all loops are ready. */
export class Publisher<T, R> {
  readonly #audience: Audience<T, R>;
  readonly #listeners: Listeners<T, R>;
  readonly #inbox: Inbox<Publication<T, R>>;
  #isOver = false;

  constructor(limits: InboxLimits, audience: Audience<T, R>, listeners: Listeners<T, R>) {
    this.#audience = audience;
    this.#listeners = listeners;
    this.#inbox = new Inbox(limits);
  }

  /** What waits. */
  get pending(): readonly T[] {
    return this.#inbox.entries.map(({ args }) => args);
  }

  /** How many of them wait for an answer, and nobody is at work with them. */
  get waiting(): number {
    return this.#inbox.entries.filter(({ client, attendance }) => client.waiting && attendance.atWork === 0).length;
  }

  /** Whether somebody listens. */
  get isHeard(): boolean {
    const { observers, loops } = this.#audience;
    return observers.size > 0 || loops.size > 0 || this.#listeners.exist();
  }

  /** `bytes` is what the launch had on the wire. `false`: too much waits, and it was dropped. */
  publish(publication: Publication<T, R>, bytes: number): boolean {
    this.#drain();
    if (this.#isReady) {
      this.#hand(publication);
      return true;
    }
    if (!this.#inbox.put(publication, bytes)) return false;
    const { client } = publication;
    if (client.waiting) client.signal.addEventListener('abort', () => this.#forget(publication), { once: true });
    return true;
  }

  /** Hands over what waits a tick later, so that all who come together get it. */
  drainSoon(): void {
    if (this.isHeard && (this.#inbox.size > 0 || this.#isOver)) process.nextTick(() => this.#drain());
  }

  /** No launch comes any more. Loops end when nothing waits. */
  end(): void {
    this.#audience.observers.clear();
    this.#isOver = true;
    this.#drain();
  }

  #drain(): void {
    while (this.#isReady) {
      const publication = this.#inbox.take();
      if (!publication) break;
      this.#hand(publication);
    }
    if (this.#isOver && this.#inbox.size === 0) this.#audience.end();
  }

  /** Whether somebody listens, and all take a launch now. */
  get #isReady(): boolean {
    if (!this.isHeard) return false;
    for (const { isReady } of this.#audience.loops) if (!isReady) return false;
    return true;
  }

  /** A launch that waited for its answer has gone before its turn. */
  #forget(publication: Publication<T, R>): void {
    if (this.#inbox.delete(publication)) this.#listeners.warn(gaveUp());
  }

  #hand({ args, client, attendance }: Publication<T, R>): void {
    // One that a listener begins now gets the next.
    const loops = Array.from(this.#audience.loops);
    attendance.give(() => [
      ...notify(this.#audience.observers, args, this.#listeners.warn),
      ...this.#listeners.call({ args, client }),
      ...loops.map((loop) => loop.give({ args, client })),
    ]);
    attendance.complete();
  }
}
