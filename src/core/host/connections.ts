import type { ReadLaunch } from '../../interface/codec.ts';
import { SingletonError } from '../../interface/errors.ts';
import { resetConnection, type Connection } from '../../interface/transport.ts';
import type { ResolvedOptions } from '../options.ts';
import {
  type ConnectionEvents,
  releasedError,
  type ConnectionState,
  HostConnection,
  type ConnectionOwner,
} from './connection.ts';
import { Expiry } from './expiry.ts';
import { onExit, offExit } from './on-exit.ts';

/** Milliseconds that connections have to complete their launch after a release, and to close after their answer. */
const CLOSE_TIMEOUT = 1000;
/** Milliseconds more for those that did not, and are told so. */
const FLUSH_TIMEOUT = 200;

/** All connections of a host, each by the stage that it is in. */
export class ConnectionManager<T, R> implements ConnectionOwner<T, R> {
  readonly options: ResolvedOptions<T, R>;
  readonly receive: ReadLaunch<T, R>;
  readonly reports: ConnectionEvents<T, R>;
  readonly since: number;
  isClosing = false;
  readonly #stages: Readonly<Record<Exclude<ConnectionState, 'closed'>, Stock<HostConnection<T, R>>>>;
  #size = 0;
  #emptied: (() => void)[] = [];

  constructor(
    options: ResolvedOptions<T, R>,
    receive: ReadLaunch<T, R>,
    since: number,
    reports: ConnectionEvents<T, R>,
  ) {
    const { receiveTimeout } = options;
    this.options = options;
    this.receive = receive;
    this.since = since;
    this.reports = reports;
    this.#stages = {
      // An absolute deadline: an idle timer would be reset by a trickle.
      receiving: new Expiry(receiveTimeout, (visit) => {
        // After a blocked turn, timers come before what arrived meanwhile: one turn reads its bytes, one more its end.
        setImmediate(() => setImmediate(() => visit.onError(receiveTimeoutError(receiveTimeout))));
      }),
      dispatching: new Set(),
      conversing: new Set(),
      leaving: new Expiry(CLOSE_TIMEOUT, (visit) => visit.reset()),
      flushing: new Set(),
    };
  }

  /** How many launches wait for their last word. */
  get openSessions(): number {
    return this.#stages.conversing.size;
  }

  /** Reads a launch from it, unless there is no room for it. */
  accept(connection: Connection): void {
    if (!this.#makeRoom()) {
      connection.on('error', () => {});
      return resetConnection(connection);
    }
    const visit = new HostConnection(connection, this);
    this.#size += 1;
    this.#stages.receiving.add(visit);
    visit.read();
  }

  /** Resolves when the last connection is closed, which takes at most the grace and the farewell. */
  async drain(): Promise<void> {
    if (this.#size === 0) return;
    const emptied = new Promise<void>((resolve) => this.#emptied.push(resolve));
    let timer = setTimeout(() => {
      const { receiving, conversing } = this.#stages;
      const told = new Set([...receiving, ...conversing].filter(({ hasResponder }) => hasResponder));
      this.rejectUnfinished();
      this.#rejectOnExit();
      for (const visit of this.#all()) if (!told.has(visit)) visit.destroy();
      timer = setTimeout(() => {
        for (const visit of this.#all()) visit.destroy();
      }, FLUSH_TIMEOUT);
    }, CLOSE_TIMEOUT);
    await emptied;
    clearTimeout(timer);
  }

  /** From here on no launch is complete: cuts off all that are on their way, so that their clients claim the endpoint anew. */
  rejectUnfinished(): void {
    this.isClosing = true;
    for (const visit of this.#stages.receiving) visit.onError(releasedError());
  }

  /** A visit goes from one stage to the next. */
  setState(visit: HostConnection<T, R>, to: ConnectionState): void {
    const from = visit.state;
    if (from === 'closed') return;
    this.#stages[from].delete(visit);
    visit.state = to;
    if (to === 'closed') this.#size -= 1;
    else this.#stages[to].add(visit);
    if (visit.hasResponder) this.#watchExit(to);
    if (from === 'conversing' || to === 'conversing') this.reports.changed();
    if (this.#size === 0) for (const resolve of this.#emptied.splice(0)) resolve();
  }

  /** Behind what the listeners have added meanwhile: they may say the last word when the process ends. */
  #watchExit(to: ConnectionState): void {
    const { dispatching, conversing } = this.#stages;
    if (to === 'dispatching' || to === 'conversing') onExit(this.#rejectOnExit);
    else if (dispatching.size + conversing.size === 0) offExit(this.#rejectOnExit);
  }

  #all(): readonly HostConnection<T, R>[] {
    return Object.values(this.#stages).flatMap((visits) => Array.from(visits));
  }

  /**
   * Of too many connections, one that has its answer goes first, then the one that has been incomplete the longest. Where
   * all wait for their last word, `false`: there is no room.
   */
  #makeRoom(): boolean {
    const { maxConnections } = this.options;
    if (this.#size < maxConnections) return true;
    const { receiving, leaving, flushing } = this.#stages;
    const [answered] = leaving.size > 0 ? leaving : flushing;
    const [oldest] = receiving;
    if (!answered) oldest?.onError(tooManyConnectionsError(maxConnections, 'it was the oldest'));
    (answered ?? oldest)?.destroy();
    if (answered ?? oldest) return true;
    this.reports.warning(tooManyConnectionsError(maxConnections, 'all others wait for their answers'));
    return false;
  }

  /** The process ends, or has no time for them. */
  readonly #rejectOnExit = (): void => {
    for (const visit of [...this.#stages.dispatching, ...this.#stages.conversing]) visit.rejectRetryable();
  };
}

/** A `Set`, and a set of another kind. */
interface Stock<Entry> extends Iterable<Entry> {
  readonly size: number;
  add(entry: Entry): unknown;
  delete(entry: Entry): unknown;
}

function tooManyConnectionsError(maxConnections: number, why: string): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_BUSY',
    `A connection was cut off: expected at most ${maxConnections} at a time (maxConnections); ${why}.`,
  );
}

function receiveTimeoutError(receiveTimeout: number): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_CONNECTION_FAILED',
    `A connection was cut off: expected a complete launch within ${receiveTimeout} ms (receiveTimeout).`,
  );
}
