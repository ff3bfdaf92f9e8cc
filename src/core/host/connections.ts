import { cutOffByReleaseError, SingletonError } from '../../interface/errors.ts';
import { LinkedList } from '../../interface/linked-list.ts';
import { afterTwoTurns, clearInterval, clearTimeout, now, setInterval, setTimeout } from '../../interface/timers.ts';
import { type Connection, resetConnection } from '../../interface/transport.ts';
import { type ConnectionState, HostConnection, type Origin } from './connection.ts';
import type { ServedConnections } from '../server.ts';
import type { Host } from './host.ts';
import { offExit, onExit } from './on-exit.ts';

/** Milliseconds that connections have to complete their launch after a release, and to close after their answer. */
const CLOSE_TIMEOUT = 1000;
/** Milliseconds more to flush the final message of connections that missed CLOSE_TIMEOUT. */
const FLUSH_TIMEOUT = 200;
/** Milliseconds between two pings of a host that drains. A client of a lease resets a connection that was silent for four of them. */
const PING_INTERVAL = 500;
/** Milliseconds between two sweeps at least: many deadlines that lie close together cost one. */
const MIN_SWEEP = 10;
/** A sweep that is so many milliseconds late was kept back by a blocked turn. */
const BLOCKED_TURN = 20;

/** All connections of a host, in the order of their arrival. */
export class ConnectionManager<T, R> implements ServedConnections {
  /** Whether no further launch is dispatched. */
  isClosing = false;
  readonly #host: Host<T, R>;
  readonly #all = new LinkedList<HostConnection<T, R>>();
  /** Those that were given their time once more because the host was blocked. */
  readonly #extended = new WeakSet<HostConnection<T, R>>();
  #openSessions = 0;
  #sweepTimer: NodeJS.Timeout | undefined;
  #sweepAt = Infinity;
  #isDraining = false;
  #drained: (() => void)[] = [];

  constructor(host: Host<T, R>) {
    this.#host = host;
  }

  /** Whether no launch is being delivered, and none waits for its result. */
  get isIdle(): boolean {
    for (const { isReading, state } of this.#all) if (isReading || state === 'open') return false;
    return true;
  }

  /** How many launches wait for their result. */
  get openSessions(): number {
    return this.#openSessions;
  }

  /** Reads a launch from the connection, or resets it if there are too many. */
  accept(connection: Connection, origin: Origin = 'client'): void {
    if (this.#all.size >= this.#host.options.maxConnections && !this.#evict()) {
      connection.on('error', () => {});
      return resetConnection(connection);
    }
    const accepted = new HostConnection(connection, origin, this.#host, this);
    accepted.leave = this.#all.add(accepted);
    if (this.#all.size === 1) onExit(this.#onExit);
    // An absolute deadline: an idle timer would be reset by each byte of a client that trickles.
    this.#expire(accepted, this.#host.options.receiveTimeout);
    accepted.read();
  }

  /** So many connections were reset before the host could read them. */
  onDropped(count: number): void {
    const message = `${count} connections were reset before this host was ready: there were more than maxConnections.`;
    this.#host.warn(new SingletonError('ERR_SINGLETON_BUSY', message));
  }

  onStateChange(connection: HostConnection<T, R>, before: ConnectionState): void {
    const { state } = connection;
    if (state === 'closed') connection.leave();
    if (state !== 'verifying') connection.deadline = Infinity;
    if (state === 'closing') this.#expire(connection, CLOSE_TIMEOUT);
    this.#openSessions += Number(state === 'open') - Number(before === 'open');
    if (state === 'open') onExit(this.#onExit);
    if (before === 'open' || state === 'open') this.#host.onSessionsChange();
    if (this.#all.size > 0) return;
    offExit(this.#onExit);
    this.#stopSweep();
    this.checkDrained();
  }

  /** Listeners may end the process. The 'exit' listeners that exist now run before ours then, and can set the result of a launch. */
  beforeDispatch(isWaiting: boolean): void {
    if (isWaiting || this.#openSessions > 0) onExit(this.#onExit);
  }

  /** From now on no launch is dispatched. Clients that have not sent theirs are reset, so that they try again. */
  rejectUnfinished(): void {
    this.isClosing = true;
    for (const connection of this.#all) if (connection.isReading) connection.end(cutOffByReleaseError());
  }

  cut(): void {
    this.isClosing = true;
    for (const connection of this.#all) connection.end(cutOffByReleaseError());
  }

  /**
   * Resolves when the last connection has closed, after CLOSE_TIMEOUT and FLUSH_TIMEOUT at the latest. With `drain`, sessions and
   * listeners at work have so many milliseconds, if that is more.
   */
  async drain(ms: number): Promise<void> {
    // Without a listener nothing can finish.
    const drain = this.#host.hasListeners ? ms : 0;
    this.#isDraining = drain > 0;
    if (this.#isDrained) return;
    const drained = new Promise<void>((resolve) => this.#drained.push(resolve));
    const cutAll = (): void => {
      if (drain > 0) this.#host.onDrainExpired();
      this.#cutUnfinished(() => true);
      timer = setTimeout(() => {
        for (const connection of this.#all) connection.destroy();
        this.#settleDrained();
      }, FLUSH_TIMEOUT);
    };
    let timer = setTimeout(() => {
      if (drain <= CLOSE_TIMEOUT) return cutAll();
      this.#cutUnfinished(({ state }) => state !== 'open' && state !== 'draining');
      if (drain < Infinity) timer = setTimeout(cutAll, drain - CLOSE_TIMEOUT);
      return undefined;
    }, CLOSE_TIMEOUT);
    const pings =
      this.#host.options.transport.reach === 'network' ? setInterval(this.#ping, PING_INTERVAL).unref() : undefined;
    await drained;
    clearTimeout(timer);
    clearInterval(pings);
  }

  /** The endpoint is free, so a client on another machine cannot distinguish this host from one that is dead. */
  readonly #ping = (): void => {
    for (const connection of this.#all) connection.responder?.ping();
  };

  /** A connection has closed, or a listener has finished. */
  checkDrained(): void {
    if (this.#isDrained) this.#settleDrained();
  }

  #settleDrained(): void {
    for (const resolve of this.#drained.splice(0)) resolve();
  }

  get #isDrained(): boolean {
    return this.#all.size === 0 && (!this.#isDraining || this.#host.isIdle);
  }

  /** What was answered and did not close in all that time is cut. The others are answered now, and have a moment to read it. */
  #cutUnfinished(isCut: (connection: HostConnection<T, R>) => boolean): void {
    const connections = Array.from(this.#all).filter(isCut);
    const answered = connections.filter(isAnswered);
    this.isClosing = true;
    for (const connection of connections) connection.end(cutOffByReleaseError());
    for (const connection of answered) connection.destroy();
  }

  /** Gives each connection a deadline, by one timer for all that does not keep the process alive. */
  #expire(connection: HostConnection<T, R>, ms: number): void {
    connection.deadline = now() + ms;
    if (connection.deadline < this.#sweepAt) this.#sweepAfter(ms);
  }

  #sweepAfter(least: number): void {
    clearTimeout(this.#sweepTimer);
    const ms = Math.max(least, MIN_SWEEP);
    this.#sweepAt = now() + ms;
    this.#sweepTimer = setTimeout(this.#sweep, ms).unref();
  }

  #stopSweep(): void {
    clearTimeout(this.#sweepTimer);
    this.#sweepAt = Infinity;
  }

  readonly #sweep = (): void => {
    const time = now();
    this.#sweepAt = Infinity;
    let next = Infinity;
    for (const connection of this.#all) {
      if (connection.deadline <= time) this.#onExpired(connection);
      next = Math.min(next, connection.deadline);
    }
    if (next < this.#sweepAt) this.#sweepAfter(next - time);
  };

  #onExpired(connection: HostConnection<T, R>): void {
    const { receiveTimeout } = this.#host.options;
    const isLate = now() - connection.deadline > BLOCKED_TURN;
    connection.deadline = Infinity;
    if (!connection.isReading) return connection.reset();
    // The host was blocked and did not read what has arrived. It reads 64 KiB a turn, and the client sends more only then.
    if (isLate && !this.#extended.has(connection)) {
      this.#extended.add(connection);
      return this.#expire(connection, receiveTimeout);
    }
    // Timers run before what has arrived is read.
    afterTwoTurns(() => connection.onError(receiveTimeoutError(receiveTimeout)));
  }

  /**
   * Makes room: closes a connection that has its answer, else the oldest one that has sent nothing, else the oldest one whose
   * launch is incomplete. `false` if the others all have launches that are complete.
   */
  #evict(): boolean {
    const { maxConnections } = this.#host.options;
    const all = Array.from(this.#all);
    const answered = all.find(({ state }) => state === 'closing') ?? all.find(({ state }) => state === 'draining');
    const incomplete = all.find(({ isSilent }) => isSilent) ?? all.find(({ state }) => state === 'reading');
    const oldest = answered ?? incomplete;
    if (!oldest) {
      this.#host.warn(tooManyConnectionsError(maxConnections, 'the launches of all others are complete'));
      return false;
    }
    if (!answered) oldest.end(tooManyConnectionsError(maxConnections, 'it was the oldest one that was incomplete'));
    oldest.destroy();
    return true;
  }

  /** At the end of the process nothing is reported: a listener could end it before all clients have their answers. */
  readonly #onExit = (): void => {
    this.isClosing = true;
    for (const connection of this.#all) connection.end();
  };
}

function isAnswered<T, R>({ responder, isReading, state }: HostConnection<T, R>): boolean {
  return !responder || !(isReading || state === 'open');
}

function tooManyConnectionsError(maxConnections: number, why: string): SingletonError {
  const message = `A connection was cut off: there are more than ${maxConnections} (maxConnections), and ${why}.`;
  return new SingletonError('ERR_SINGLETON_BUSY', message);
}

function receiveTimeoutError(receiveTimeout: number): SingletonError {
  const message = `A connection was cut off: its launch was not complete within ${receiveTimeout} ms (receiveTimeout).`;
  return new SingletonError('ERR_SINGLETON_CONNECTION_FAILED', message);
}
