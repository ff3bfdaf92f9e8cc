import type { Answer, Confirmation, Exchange, Reception, Verified } from '../codecs/codec.ts';
import { abort, type Connection, type Listener } from '../transports/transport.ts';
import { orAborted } from './deadline.ts';
import { SingletonError } from './errors.ts';
import type { VerifyFailure } from './events.ts';
import type { ResolvedOptions } from './options.ts';

/** What a host reports; none of it may throw. */
export interface HostReports<T> {
  /** A launch was complete and verified. Returns what becomes of it; `undefined` where it had to be dropped. */
  readonly launched: (reception: Verified<T>, remoteAddress: string | undefined) => Dispatched | undefined;
  readonly verifyFailed: (failure: VerifyFailure) => void;
  readonly warning: (warning: SingletonError) => void;
  readonly lost: () => void;
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
export class Host<T> {
  readonly #options: ResolvedOptions<T>;
  readonly #reports: HostReports<T>;
  readonly #open = new Set<Connection>();
  /** Connections whose launch is not complete. */
  readonly #receiving = new Map<Connection, Receiving>();
  /** Connections that have their answer and are not closed yet. */
  readonly #leaving = new Set<Connection>();
  #isCut = false;
  #listener: Listener | undefined;
  #place: string;
  #since = 0;

  constructor(options: ResolvedOptions<T>, reports: HostReports<T>) {
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
      for (const connection of this.#open) if (!this.#receiving.get(connection)?.answer) connection.destroy();
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
    this.#makeRoom();
    this.#open.add(connection);
    connection.once('close', () => this.#open.delete(connection));
    let answer: Answer | undefined;
    try {
      const exchange = this.#options.codec.protocol.receive(connection, this.#options);
      answer = exchange.answer;
      this.#report(await this.#receive(connection, exchange), connection, answer);
      if (!answer) connection.end();
    } catch (error) {
      if (!connection.isKnock?.()) this.#reports.warning(asSingletonError(error));
      answer?.dismiss();
      // Who has ended waits for our end; who has not is reset, so that the port is not left in TIME_WAIT.
      if (!answer && connection.readableEnded && !this.#isCut) connection.end();
      else if (!answer) abort(connection);
    }
    if (answer) this.#leave(connection);
  }

  #report(reception: Reception<T>, connection: Connection, answer: Answer | undefined): void {
    const { remoteAddress } = connection;
    if (!reception.verified) {
      this.#reports.verifyFailed({ reason: reception.reason, remoteAddress, time: new Date() });
      return;
    }
    if (this.#isCut) throw released();
    if (connection.isGone?.() || answer?.isAwaited === false) throw gaveUp();
    const dispatched = this.#reports.launched(reception, remoteAddress);
    if (dispatched) answer?.confirm({ ...dispatched, since: this.#since });
    else answer?.refuse('ERR_SINGLETON_BUSY');
  }

  /** Of too many connections, one that has its answer goes first, then the one that has been incomplete the longest. */
  #makeRoom(): void {
    const { maxConnections } = this.#options;
    if (this.#open.size < maxConnections) return;
    const [answered] = this.#leaving;
    if (answered) {
      answered.destroy();
      return;
    }
    for (const [connection, { answer, fail }] of this.#receiving) {
      answer?.dismiss();
      if (answer) connection.destroy();
      else abort(connection);
      fail(busy(maxConnections));
      return;
    }
  }

  /** One reception under one absolute deadline: an idle timer would be reset by a trickle. */
  async #receive(connection: Connection, { reception, answer }: Exchange<T>): Promise<Reception<T>> {
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
  #leave(connection: Connection): void {
    if (connection.closed) return;
    this.#leaving.add(connection);
    const end = (): void => void connection.end();
    const timer = setTimeout(() => abort(connection), GRACE).unref();
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

function gaveUp(): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_CONNECTION_FAILED',
    'A launch was dropped: its client gave up before the host came to it.',
  );
}

function busy(maxConnections: number): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_BUSY',
    `A connection was cut off: expected at most ${maxConnections} at a time (maxConnections); it was the oldest.`,
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
