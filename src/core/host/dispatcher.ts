import type { SingletonError } from '../../interface/errors.ts';
import type { Arrival } from '../events.ts';
import type { Subscribers } from '../subscribers.ts';
import type { Completion } from './completion.ts';
import { clientGoneError } from './connection.ts';
import type { ListenerResult } from './emit-safely.ts';
import { notify } from './observers.ts';
import { LaunchQueue, type InboxLimits } from './queue.ts';

/** A launch that is published, and who is given it. */
export interface QueuedLaunch<T, R> extends Arrival<T, R> {
  readonly attendance: Completion;
}

/** What a publisher knows of the `args` listeners. */
export interface Listeners<T, R> {
  /** Whether there are any. */
  readonly exist: () => boolean;
  readonly call: (arrival: Arrival<T, R>) => readonly ListenerResult[];
  readonly warn: (warning: SingletonError) => void;
}

/** Hands launches to all who listen, in order. They wait until somebody does, and until all loops are ready. */
export class Dispatcher<T, R> {
  readonly #subscribers: Subscribers<T, R>;
  readonly #listeners: Listeners<T, R>;
  readonly #queue: LaunchQueue<QueuedLaunch<T, R>>;
  #isEnded = false;

  constructor(limits: InboxLimits, audience: Subscribers<T, R>, listeners: Listeners<T, R>) {
    this.#subscribers = audience;
    this.#listeners = listeners;
    this.#queue = new LaunchQueue(limits);
  }

  /** What waits. */
  get pending(): readonly T[] {
    return this.#queue.entries.map(({ args }) => args);
  }

  /** How many of them wait for an answer, and nobody is at work with them. */
  get waiting(): number {
    return this.#queue.entries.filter(({ client, attendance }) => client.waiting && attendance.pending === 0).length;
  }

  /** Whether somebody listens. */
  get hasListeners(): boolean {
    const { observers, iterators } = this.#subscribers;
    return observers.size > 0 || iterators.size > 0 || this.#listeners.exist();
  }

  /** `bytes` is what the launch had on the wire. `false`: too much waits, and it was dropped. */
  dispatch(publication: QueuedLaunch<T, R>, bytes: number): boolean {
    this.#drain();
    if (this.#isReady) {
      this.#call(publication);
      return true;
    }
    if (!this.#queue.enqueue(publication, bytes)) return false;
    const { client } = publication;
    if (client.waiting) client.signal.addEventListener('abort', () => this.#removeAborted(publication), { once: true });
    return true;
  }

  /** Hands over what waits a tick later, so that all who come together get it. */
  scheduleDrain(): void {
    if (this.hasListeners && (this.#queue.size > 0 || this.#isEnded)) process.nextTick(() => this.#drain());
  }

  /** No launch comes any more. Loops end when nothing waits. */
  end(): void {
    this.#subscribers.observers.clear();
    this.#isEnded = true;
    this.#drain();
  }

  #drain(): void {
    while (this.#isReady) {
      const publication = this.#queue.dequeue();
      if (!publication) break;
      this.#call(publication);
    }
    if (this.#isEnded && this.#queue.size === 0) this.#subscribers.end();
  }

  /** Whether somebody listens, and all take a launch now. */
  get #isReady(): boolean {
    if (!this.hasListeners) return false;
    for (const { isReady } of this.#subscribers.iterators) if (!isReady) return false;
    return true;
  }

  /** A launch that waited for its answer has gone before its turn. */
  #removeAborted(publication: QueuedLaunch<T, R>): void {
    if (this.#queue.delete(publication)) this.#listeners.warn(clientGoneError());
  }

  #call({ args, client, attendance }: QueuedLaunch<T, R>): void {
    // One that a listener begins now gets the next.
    const loops = Array.from(this.#subscribers.iterators);
    attendance.call(() => [
      ...notify(this.#subscribers.observers, args, this.#listeners.warn),
      ...this.#listeners.call({ args, client }),
      ...loops.map((loop) => loop.push({ args, client })),
    ]);
    attendance.finishCalling();
  }
}
