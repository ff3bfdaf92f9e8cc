import type { Answer, Confirmation, Dialogue, Receive, Receiver, Reception, Verified } from '../../interface/codec.ts';
import { SingletonError } from '../../interface/errors.ts';
import { abort, type Connection } from '../../interface/transport.ts';
import type { VerifyFailure } from '../events.ts';
import type { ResolvedOptions } from '../options.ts';

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
  /** A conversation began or ended. */
  readonly changed: () => void;
}

export type Dispatched = Omit<Confirmation, 'since'>;

/** `leaving` has its answer; `flushing` has its last word, with all the time that its terminal takes. */
export type Stage = 'receiving' | 'dispatching' | 'conversing' | 'leaving' | 'flushing' | 'closed';

/** What a visit knows of its host. */
export interface VisitedHost<T, R> {
  readonly options: ResolvedOptions<T, R>;
  readonly receive: Receive<T, R>;
  readonly reports: HostReports<T, R>;
  /** When it took its place: milliseconds since 1970. */
  readonly since: number;
  /** Whether no launch is complete any more. */
  readonly isCut: boolean;
  /** Puts a visit where its next stage has its place. */
  move(visit: Visit<T, R>, to: Stage): void;
}

/** One connection of a host, from its first byte to its last. */
export class Visit<T, R> implements Receiver<T, R> {
  /** Where the host has put it. */
  stage: Stage = 'receiving';
  readonly #connection: Connection;
  readonly #host: VisitedHost<T, R>;
  #answer: Answer | undefined;
  #isTold = false;
  #dispatched: Dispatched | undefined;

  constructor(connection: Connection, host: VisitedHost<T, R>) {
    this.#connection = connection;
    this.#host = host;
    connection.on('error', ignore).on('close', () => this.#closed());
  }

  /** Whether the client hears what becomes of its launch. */
  get hasAnswer(): boolean {
    return this.#answer !== undefined;
  }

  /** Begins to read its launch. */
  receive(): void {
    const { receive, options } = this.#host;
    if (this.#connection.closed) return this.#closed();
    // It ended without a byte while nobody read it: its end is told no second time.
    if (this.#connection.readableEnded) return this.failed(endedEarly());
    try {
      this.#answer = receive(this.#connection, options, this);
    } catch (error) {
      this.failed(error);
    }
  }

  #closed(): void {
    if (!this.#answer && !this.#isTold) this.failed(closedEarly(this.#connection.errored));
    this.#host.move(this, 'closed');
  }

  received(reception: Reception<T, R>): void {
    if (this.#isTold) return;
    this.#isTold = true;
    this.#host.move(this, 'dispatching');
    try {
      const isTaken = this.#dispatch(reception);
      if (isTaken && reception.verified && reception.dialogue) void this.#converse(reception.dialogue);
      else this.#leave('leaving');
    } catch (error) {
      this.#drop(error);
    }
  }

  failed(fault: unknown): void {
    if (this.#isTold) return;
    this.#isTold = true;
    this.#drop(fault);
  }

  /** The process ends, or has no time for it: a launch that was dispatched must not follow this host. */
  dismiss(): void {
    this.#confirm();
    this.#answer?.dismiss();
  }

  destroy(): void {
    this.#connection.destroy();
    this.#host.move(this, 'closed');
  }

  /** Closes so that the other side can tell it from an end. */
  abort(): void {
    abort(this.#connection);
  }

  #dispatch(reception: Reception<T, R>): boolean {
    const { reports, isCut } = this.#host;
    const { remoteAddress } = this.#connection;
    if (!reception.verified) {
      reports.verifyFailed({ reason: reception.reason, remoteAddress, time: new Date() });
      return false;
    }
    if (isCut) throw released();
    const fault = this.#connection.isGone?.() ? gaveUp() : this.#answer?.fault;
    if (fault) throw fault;
    const isTaken = reports.launched(reception, remoteAddress, (what) => (this.#dispatched = what));
    if (isTaken) this.#confirm();
    else this.#answer?.refuse('ERR_SINGLETON_BUSY');
    return isTaken;
  }

  #confirm(): void {
    if (this.#dispatched) this.#answer?.confirm({ ...this.#dispatched, since: this.#host.since });
  }

  /** Until the last word is said to a launch that waits, or nobody waits for it. */
  async #converse({ ended, signal }: Dialogue<R>): Promise<void> {
    this.#host.move(this, 'conversing');
    try {
      await ended;
      // What the host said may take a slow terminal its time; it gives way when there is no room, or at a release.
      this.#leave(signal.aborted ? 'leaving' : 'flushing');
    } catch (error) {
      this.#drop(error);
    }
  }

  #drop(fault: unknown): void {
    const connection = this.#connection;
    if (!connection.isKnock?.()) this.#host.reports.warning(asSingletonError(fault));
    this.#answer?.dismiss();
    // Who has ended waits for our end; who has not is reset, so that the port is not left in TIME_WAIT.
    if (!this.#answer && !(connection.readableEnded && !this.#host.isCut)) abort(connection);
    this.#leave('leaving');
  }

  /** Who has an answer closes first, so that this side has no TIME_WAIT. */
  #leave(stage: 'leaving' | 'flushing'): void {
    const connection = this.#connection;
    this.#host.move(this, stage);
    if (connection.destroyed) return;
    if (!this.#answer || connection.readableEnded) connection.end();
    else connection.on('end', () => connection.end()).resume();
  }
}

function ignore(): void {}

export function released(): SingletonError {
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

function endedEarly(): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_TRUNCATED_MESSAGE',
    'Expected a launch; the connection ended without a byte.',
  );
}

function closedEarly(cause: Error | null): SingletonError {
  const message = `The connection ${cause ? 'broke' : 'was closed'} before the launch was complete.`;
  return new SingletonError('ERR_SINGLETON_CONNECTION_FAILED', message, cause ? { cause } : undefined);
}

function asSingletonError(error: unknown): SingletonError {
  if (error instanceof SingletonError) return error;
  return new SingletonError('ERR_SINGLETON_CONNECTION_FAILED', 'A connection failed.', { cause: error });
}
