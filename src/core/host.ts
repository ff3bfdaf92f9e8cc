import { abort, type Connection, type Listener } from '../transports/transport.ts';
import { atExit, notAtExit } from './at-exit.ts';
import { orAborted } from './deadline.ts';
import { SingletonError } from './errors.ts';
import { Expiry } from './expiry.ts';
import type { ResolvedOptions } from './options.ts';
import { Visit, released, type HostReports, type Stage, type VisitedHost } from './visit.ts';

/** Milliseconds that connections have to complete their launch after a release, and to close after their answer. */
const GRACE = 1000;
/** Milliseconds more for those that did not, and are told so. */
const FAREWELL = 200;

/** Holds the place and has its connections visit it. */
export class Host<T, R = unknown> implements VisitedHost<T, R> {
  readonly options: ResolvedOptions<T, R>;
  readonly reports: HostReports<T, R>;
  since = 0;
  isCut = false;
  readonly #visits: Readonly<Record<Exclude<Stage, 'closed'>, Visits<Visit<T, R>>>>;
  #listener: Listener | undefined;
  #isReady = false;
  /** Who came before the host could read a launch. */
  #early: Visit<T, R>[] | undefined;
  #keepsAlive: boolean | undefined;
  #place: string;
  #size = 0;
  #emptied: (() => void)[] = [];

  constructor(options: ResolvedOptions<T, R>, reports: HostReports<T, R>) {
    const { receiveTimeout } = options;
    this.options = options;
    this.reports = reports;
    this.#place = options.transport.place;
    this.#visits = {
      // An absolute deadline: an idle timer would be reset by a trickle.
      receiving: new Expiry(receiveTimeout, (visit) => {
        // After a blocked turn, timers come before what arrived meanwhile: one turn reads its bytes, one more its end.
        setImmediate(() => setImmediate(() => visit.failed(tooSlow(receiveTimeout))));
      }),
      dispatching: new Set(),
      conversing: new Set(),
      leaving: new Expiry(GRACE, (visit) => visit.abort()),
      flushing: new Set(),
    };
  }

  get place(): string {
    return this.#place;
  }

  get isListening(): boolean {
    return this.#isReady;
  }

  /** Whether it has the place, and not yet what decodes launches. */
  get isLoading(): boolean {
    return this.#listener !== undefined && !this.#isReady;
  }

  /** How many launches wait for their last word. */
  get conversations(): number {
    return this.#visits.conversing.size;
  }

  /** Takes the place; `false` when somebody has it. A place that is got after the signal aborted is given back. */
  async listen(signal: AbortSignal): Promise<boolean> {
    this.#early = [];
    const listening = this.options.transport.listen(this.#accept, {
      onWarning: this.reports.warning,
      onLost: this.reports.lost,
      connects: this.options.client,
    });
    const listener = await orAborted(listening, signal).catch((error: unknown) => {
      if (signal.aborted) listening.then((late) => late?.close()).catch(() => {});
      throw error;
    });
    if (!listener) return false;
    this.#listener = listener;
    this.#place = listener.place;
    this.#keepsAlive = undefined;
    this.isCut = signal.aborted;
    this.since = Date.now();
    await this.#load(signal);
    this.#isReady = true;
    for (const visit of this.#endEarly()) visit.receive();
    return true;
  }

  keepAlive(value: boolean): void {
    // Each call goes through all connections.
    if (value === this.#keepsAlive) return;
    this.#keepsAlive = value;
    if (value) this.#listener?.ref();
    else this.#listener?.unref();
  }

  /** Frees the place at once; resolves when the last connection is closed, which takes at most the grace and the farewell. */
  async close(): Promise<void> {
    const listener = this.#listener;
    this.#listener = undefined;
    this.#isReady = false;
    listener?.ref();
    try {
      await listener?.close();
    } finally {
      if (this.#size > 0) await this.#farewell();
    }
  }

  /** Who cannot decode launches holds no place. */
  async #load(signal: AbortSignal): Promise<void> {
    const { codec } = this.options;
    try {
      if (codec.load) await orAborted((async () => codec.load?.())(), signal);
    } catch (error) {
      this.cut();
      this.#endEarly();
      await this.close();
      throw error;
    }
  }

  #endEarly(): readonly Visit<T, R>[] {
    const early = this.#early ?? [];
    this.#early = undefined;
    return early;
  }

  async #farewell(): Promise<void> {
    const emptied = new Promise<void>((resolve) => this.#emptied.push(resolve));
    let timer = setTimeout(() => {
      const { receiving, conversing } = this.#visits;
      const told = new Set([...receiving, ...conversing].filter(({ hasAnswer }) => hasAnswer));
      this.cut();
      this.#dismissAll();
      for (const visit of this.#all()) if (!told.has(visit)) visit.destroy();
      timer = setTimeout(() => {
        for (const visit of this.#all()) visit.destroy();
      }, FAREWELL);
    }, GRACE);
    await emptied;
    clearTimeout(timer);
  }

  /** From here on no launch is complete: cuts off all that are on their way, so that their clients claim the place anew. */
  cut(): void {
    this.isCut = true;
    for (const visit of this.#visits.receiving) visit.failed(released());
  }

  /** A visit goes from one stage to the next. */
  move(visit: Visit<T, R>, to: Stage): void {
    const from = visit.stage;
    if (from === 'closed') return;
    this.#visits[from].delete(visit);
    visit.stage = to;
    if (to === 'closed') this.#size -= 1;
    else this.#visits[to].add(visit);
    if (visit.hasAnswer) this.#watchExit(to);
    if (from === 'conversing' || to === 'conversing') this.reports.changed();
    if (this.#size === 0) for (const resolve of this.#emptied.splice(0)) resolve();
  }

  /** Behind what the listeners have added meanwhile: they may say the last word when the process ends. */
  #watchExit(to: Stage): void {
    const { dispatching, conversing } = this.#visits;
    if (to === 'dispatching' || to === 'conversing') atExit(this.#dismissAll);
    else if (dispatching.size + conversing.size === 0) notAtExit(this.#dismissAll);
  }

  readonly #accept = (connection: Connection): void => {
    if (!this.#makeRoom()) {
      connection.on('error', () => {});
      return abort(connection);
    }
    const visit = new Visit(connection, this);
    this.#size += 1;
    this.#visits.receiving.add(visit);
    return this.#early ? void this.#early.push(visit) : visit.receive();
  };

  #all(): readonly Visit<T, R>[] {
    return Object.values(this.#visits).flatMap((visits) => Array.from(visits));
  }

  /**
   * Of too many connections, one that has its answer goes first, then the one that has been incomplete the longest. Where
   * all wait for their last word, `false`: there is no room.
   */
  #makeRoom(): boolean {
    const { maxConnections } = this.options;
    if (this.#size < maxConnections) return true;
    const { receiving, leaving, flushing } = this.#visits;
    const [answered] = leaving.size > 0 ? leaving : flushing;
    const [oldest] = receiving;
    if (!answered) oldest?.failed(busy(maxConnections, 'it was the oldest'));
    (answered ?? oldest)?.destroy();
    if (answered ?? oldest) return true;
    this.reports.warning(busy(maxConnections, 'all others wait for their answers'));
    return false;
  }

  /** The process ends, or has no time for them. */
  readonly #dismissAll = (): void => {
    for (const visit of [...this.#visits.dispatching, ...this.#visits.conversing]) visit.dismiss();
  };
}

/** A `Set`, and a set of another kind. */
interface Visits<Entry> extends Iterable<Entry> {
  readonly size: number;
  add(entry: Entry): unknown;
  delete(entry: Entry): unknown;
}

function busy(maxConnections: number, why: string): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_BUSY',
    `A connection was cut off: expected at most ${maxConnections} at a time (maxConnections); ${why}.`,
  );
}

function tooSlow(receiveTimeout: number): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_CONNECTION_FAILED',
    `A connection was cut off: expected a complete launch within ${receiveTimeout} ms (receiveTimeout).`,
  );
}
