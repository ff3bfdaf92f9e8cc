import type { Answer, Confirmation, Dialogue, Exchange, Reception, Verified } from '../codecs/codec.ts';
import { abort, type Connection, type Listener } from '../transports/transport.ts';
import { orAborted } from './deadline.ts';
import { SingletonError } from './errors.ts';
import type { VerifyFailure } from './events.ts';
import type { ResolvedOptions } from './options.ts';

/** What a host reports; none of it may throw. */
export interface HostReports<T, R = unknown> {
  /**
   * A launch was complete and verified. Says what becomes of it before anybody is told of it; `false` where it had to be
   * dropped after all.
   */
  readonly launched: (
    reception: Verified<T, R>,
    remoteAddress: string | undefined,
    dispatching: (what: Dispatched) => void,
  ) => boolean;
  readonly verifyFailed: (failure: VerifyFailure) => void;
  readonly warning: (warning: SingletonError) => void;
  readonly lost: () => void;
  /** A conversation began or ended. */
  readonly changed: () => void;
}

export type Dispatched = Omit<Confirmation, 'since'>;

/** Milliseconds that connections have to complete their launch after a release, and to close after their answer. */
const GRACE = 1000;
/** Milliseconds more for those that did not, and are told so. */
const FAREWELL = 200;

interface Receiving {
  readonly answer: Answer | undefined;
  /** Ends the wait for the launch. */
  readonly fail: (reason: SingletonError) => void;
}

/** Holds the place and reads launches from its connections. */
export class Host<T, R = unknown> {
  readonly #options: ResolvedOptions<T, R>;
  readonly #reports: HostReports<T, R>;
  readonly #open = new Set<Connection>();
  /** Connections whose launch is not complete. */
  readonly #receiving = new Map<Connection, Receiving>();
  /** Connections whose launch waits for the last word. */
  readonly #conversing = new Map<Connection, Answer>();
  /** Connections that have their answer and are not closed yet. */
  readonly #leaving = new Set<Connection>();
  #isCut = false;
  #listener: Listener | undefined;
  #place: string;
  #since = 0;

  constructor(options: ResolvedOptions<T, R>, reports: HostReports<T, R>) {
    this.#options = options;
    this.#reports = reports;
    this.#place = options.transport.place;
  }

  get place(): string {
    return this.#place;
  }

  get isListening(): boolean {
    return this.#listener !== undefined;
  }

  /** How many launches wait for their last word. */
  get conversations(): number {
    return this.#conversing.size;
  }

  /** Takes the place; `false` when somebody has it. A place that is got after the signal aborted is given back. */
  async listen(signal: AbortSignal): Promise<boolean> {
    const listening = this.#options.transport.listen((connection) => void this.#serve(connection), {
      onWarning: this.#reports.warning,
      onLost: this.#reports.lost,
      connects: this.#options.client,
    });
    this.#listener = await orAborted(listening, signal).catch((error: unknown) => {
      if (signal.aborted) listening.then((late) => late?.close()).catch(() => {});
      throw error;
    });
    if (!this.#listener) return false;
    this.#place = this.#listener.place;
    this.#since = Date.now();
    return true;
  }

  keepAlive(value: boolean): void {
    if (value) this.#listener?.ref();
    else this.#listener?.unref();
  }

  /** Frees the place at once; resolves when the last connection is closed, which takes at most the grace and the farewell. */
  async close(): Promise<void> {
    const listener = this.#listener;
    this.#listener = undefined;
    listener?.ref();
    await listener?.close();
    if (this.#open.size === 0) return;
    const closed = Array.from(this.#open, (connection) => new Promise((resolve) => connection.once('close', resolve)));
    let timer = setTimeout(() => {
      this.cut();
      this.#dismissAll();
      const isTold = (one: Connection): boolean => this.#conversing.has(one) || !!this.#receiving.get(one)?.answer;
      for (const connection of this.#open) if (!isTold(connection)) connection.destroy();
      timer = setTimeout(() => {
        for (const connection of this.#open) connection.destroy();
      }, FAREWELL);
    }, GRACE);
    await Promise.all(closed);
    clearTimeout(timer);
  }

  /** From here on no launch is complete: cuts off all that are on their way, so that their clients claim the place anew. */
  cut(): void {
    this.#isCut = true;
    for (const [connection, { answer, fail }] of this.#receiving) {
      if (answer) answer.dismiss();
      else abort(connection);
      fail(released());
    }
  }

  async #serve(connection: Connection): Promise<void> {
    connection.on('error', () => {});
    if (!this.#makeRoom()) return abort(connection);
    this.#open.add(connection);
    connection.once('close', () => this.#open.delete(connection));
    let answer: Answer | undefined;
    let grace = GRACE;
    try {
      const exchange = this.#options.codec.protocol.receive(connection, this.#options);
      answer = exchange.answer;
      const reception = await this.#receive(connection, exchange);
      const isTaken = this.#report(reception, connection, answer);
      if (!answer) connection.end();
      else if (isTaken && reception.verified && reception.dialogue) {
        await this.#converse(connection, answer, reception.dialogue);
        // What the host said may take a slow terminal its time; it gives way when there is no room, or at a release.
        if (!reception.dialogue.signal.aborted) grace = Infinity;
      }
    } catch (error) {
      if (!connection.isKnock?.()) this.#reports.warning(asSingletonError(error));
      answer?.dismiss();
      // Who has ended waits for our end; who has not is reset, so that the port is not left in TIME_WAIT.
      if (!answer && connection.readableEnded && !this.#isCut) connection.end();
      else if (!answer) abort(connection);
    }
    if (answer) this.#leave(connection, grace);
  }

  #report(reception: Reception<T, R>, connection: Connection, answer: Answer | undefined): boolean {
    const { remoteAddress } = connection;
    if (!reception.verified) {
      this.#reports.verifyFailed({ reason: reception.reason, remoteAddress, time: new Date() });
      return false;
    }
    if (this.#isCut) throw released();
    const fault = connection.isGone?.() ? gaveUp() : answer?.fault;
    if (fault) throw fault;
    let dispatched: Dispatched | undefined;
    const confirm = (): void => {
      if (dispatched) answer?.confirm({ ...dispatched, since: this.#since });
    };
    // A listener may end the process: the launch was dispatched, and must not follow this host.
    const onExit = (): void => {
      confirm();
      answer?.dismiss();
    };
    process.on('exit', onExit);
    try {
      const isTaken = this.#reports.launched(reception, remoteAddress, (what) => (dispatched = what));
      if (isTaken) confirm();
      else answer?.refuse('ERR_SINGLETON_BUSY');
      return isTaken;
    } finally {
      process.off('exit', onExit);
    }
  }

  /**
   * Of too many connections, one that has its answer goes first, then the one that has been incomplete the longest. Where
   * all wait for their last word, `false`: there is no room.
   */
  #makeRoom(): boolean {
    const { maxConnections } = this.#options;
    if (this.#open.size < maxConnections) return true;
    const [answered] = this.#leaving;
    if (answered) {
      answered.destroy();
      return true;
    }
    for (const [connection, { answer, fail }] of this.#receiving) {
      answer?.dismiss();
      if (answer) connection.destroy();
      else abort(connection);
      fail(busy(maxConnections, 'it was the oldest'));
      return true;
    }
    if (this.#conversing.size < maxConnections) return true;
    this.#reports.warning(busy(maxConnections, 'all others wait for their answers'));
    return false;
  }

  /** Until the last word is said to a launch that waits, or nobody waits for it. */
  async #converse(connection: Connection, answer: Answer, { ended }: Dialogue<R>): Promise<void> {
    if (this.#conversing.size === 0) process.on('exit', this.#dismissAll);
    this.#conversing.set(connection, answer);
    this.#reports.changed();
    try {
      await ended;
    } finally {
      this.#conversing.delete(connection);
      if (this.#conversing.size === 0) process.off('exit', this.#dismissAll);
      this.#reports.changed();
    }
  }

  readonly #dismissAll = (): void => {
    for (const answer of this.#conversing.values()) answer.dismiss();
  };

  /** One reception under one absolute deadline: an idle timer would be reset by a trickle. */
  async #receive(connection: Connection, { reception, answer }: Exchange<T, R>): Promise<Reception<T, R>> {
    const { receiveTimeout } = this.#options;
    let deadline: NodeJS.Timeout | undefined;
    const broken = new Promise<never>((_, fail) => {
      this.#receiving.set(connection, { answer, fail });
      const expire = (): void => fail(tooSlow(receiveTimeout));
      // After a blocked turn, timers come before what arrived meanwhile: one turn reads its bytes, one more its end.
      deadline = setTimeout(() => setImmediate(() => setImmediate(expire)), receiveTimeout).unref();
    });
    try {
      return await Promise.race([reception, broken]);
    } finally {
      clearTimeout(deadline);
      this.#receiving.delete(connection);
    }
  }

  /** Who has an answer closes first, so that this side has no TIME_WAIT, and is reset when it does not. */
  #leave(connection: Connection, grace: number): void {
    if (connection.closed) return;
    this.#leaving.add(connection);
    const end = (): void => void connection.end();
    const timer = grace < Infinity ? setTimeout(() => abort(connection), grace).unref() : undefined;
    connection.once('close', () => {
      clearTimeout(timer);
      this.#leaving.delete(connection);
    });
    if (connection.readableEnded) end();
    else connection.once('end', end).resume();
  }
}

function released(): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_RELEASED',
    'A launch was cut off: the place was released before it was complete.',
  );
}

export function gaveUp(): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_CONNECTION_FAILED',
    'A launch was dropped: its client gave up before the host came to it.',
  );
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

function asSingletonError(error: unknown): SingletonError {
  if (error instanceof SingletonError) return error;
  return new SingletonError('ERR_SINGLETON_CONNECTION_FAILED', 'A connection failed.', { cause: error });
}
