import type {
  Responder,
  ReceiptData,
  Session,
  ReadLaunch,
  LaunchHandler,
  LaunchResult,
  VerifiedLaunch,
} from '../../interface/codec.ts';
import { SingletonError } from '../../interface/errors.ts';
import { resetConnection, type Connection } from '../../interface/transport.ts';
import type { VerifyFailure } from '../events.ts';
import type { ResolvedOptions } from '../options.ts';

/** What a host reports; none of it may throw. */
export interface ConnectionEvents<T, R = unknown> {
  /**
   * A launch was complete and verified. Says what becomes of it before anybody is told of it; `false` where it had to be
   * dropped after all.
   */
  readonly launched: (
    reception: VerifiedLaunch<T, R>,
    remoteAddress: string | undefined,
    dispatching: (what: DispatchedReceipt) => void,
  ) => boolean;
  readonly verifyFailed: (failure: VerifyFailure) => void;
  readonly warning: (warning: SingletonError) => void;
  /** A conversation began or ended. */
  readonly changed: () => void;
}

export type DispatchedReceipt = Omit<ReceiptData, 'since'>;

/** `leaving` has its answer; `flushing` has its last word, with all the time that its terminal takes. */
export type ConnectionState = 'receiving' | 'dispatching' | 'conversing' | 'leaving' | 'flushing' | 'closed';

/** What a visit knows of its host. */
export interface ConnectionOwner<T, R> {
  readonly options: ResolvedOptions<T, R>;
  readonly receive: ReadLaunch<T, R>;
  readonly reports: ConnectionEvents<T, R>;
  /** When it took its endpoint: milliseconds since 1970. */
  readonly since: number;
  /** Whether no launch is complete any more. */
  readonly isClosing: boolean;
  /** Puts a visit where its next stage has its endpoint. */
  setState(visit: HostConnection<T, R>, to: ConnectionState): void;
}

/** One connection of a host, from its first byte to its last. */
export class HostConnection<T, R> implements LaunchHandler<T, R> {
  /** Where the host has put it. */
  state: ConnectionState = 'receiving';
  readonly #connection: Connection;
  readonly #host: ConnectionOwner<T, R>;
  #responder: Responder | undefined;
  #isSettled = false;
  #dispatched: DispatchedReceipt | undefined;

  constructor(connection: Connection, host: ConnectionOwner<T, R>) {
    this.#connection = connection;
    this.#host = host;
    connection.on('error', ignore).on('close', () => this.#closed());
  }

  /** Whether the client hears what becomes of its launch. */
  get hasResponder(): boolean {
    return this.#responder !== undefined;
  }

  /** Begins to read its launch. */
  read(): void {
    const { receive, options } = this.#host;
    if (this.#connection.closed) return this.#closed();
    // It ended without a byte while nobody read it: its end is told no second time.
    if (this.#connection.readableEnded) return this.onError(endedEarlyError());
    try {
      this.#responder = receive(this.#connection, options, this);
    } catch (error) {
      this.onError(error);
    }
  }

  #closed(): void {
    if (!this.#responder && !this.#isSettled) this.onError(closedEarlyError(this.#connection.errored));
    this.#host.setState(this, 'closed');
  }

  onLaunch(reception: LaunchResult<T, R>): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#host.setState(this, 'dispatching');
    try {
      const isTaken = this.#dispatch(reception);
      if (isTaken && reception.verified && reception.session) void this.#runSession(reception.session);
      else this.#close('leaving');
    } catch (error) {
      this.#fail(error);
    }
  }

  onError(fault: unknown): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#fail(fault);
  }

  /** The process ends, or has no time for it: a launch that was dispatched must not follow this host. */
  rejectRetryable(): void {
    this.#accept();
    this.#responder?.rejectRetryable();
  }

  destroy(): void {
    this.#connection.destroy();
    this.#host.setState(this, 'closed');
  }

  /** Closes so that the other side can tell it from an end. */
  reset(): void {
    resetConnection(this.#connection);
  }

  #dispatch(reception: LaunchResult<T, R>): boolean {
    const { reports, isClosing } = this.#host;
    const { remoteAddress } = this.#connection;
    if (!reception.verified) {
      reports.verifyFailed({ reason: reception.reason, remoteAddress, time: new Date() });
      return false;
    }
    if (isClosing) throw releasedError();
    const fault = this.#connection.isPeerGone?.() ? clientGoneError() : this.#responder?.error;
    if (fault) throw fault;
    const isTaken = reports.launched(reception, remoteAddress, (what) => (this.#dispatched = what));
    if (isTaken) this.#accept();
    else this.#responder?.reject('ERR_SINGLETON_BUSY');
    return isTaken;
  }

  #accept(): void {
    if (this.#dispatched) this.#responder?.accept({ ...this.#dispatched, since: this.#host.since });
  }

  /** Until the last word is said to a launch that waits, or nobody waits for it. */
  async #runSession({ finished, signal }: Session<R>): Promise<void> {
    this.#host.setState(this, 'conversing');
    try {
      await finished;
      // What the host said may take a slow terminal its time; it gives way when there is no room, or at a release.
      this.#close(signal.aborted ? 'leaving' : 'flushing');
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(fault: unknown): void {
    const connection = this.#connection;
    if (!connection.isProbe?.()) this.#host.reports.warning(asSingletonError(fault));
    this.#responder?.rejectRetryable();
    // Who has ended waits for our end; who has not is reset, so that the port is not left in TIME_WAIT.
    if (!this.#responder && !(connection.readableEnded && !this.#host.isClosing)) resetConnection(connection);
    this.#close('leaving');
  }

  /** Who has an answer closes first, so that this side has no TIME_WAIT. */
  #close(stage: 'leaving' | 'flushing'): void {
    const connection = this.#connection;
    this.#host.setState(this, stage);
    if (connection.destroyed) return;
    if (!this.#responder || connection.readableEnded) connection.end();
    else connection.on('end', () => connection.end()).resume();
  }
}

function ignore(): void {}

export function releasedError(): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_RELEASED',
    'A launch was cut off: the endpoint was released before it was complete.',
  );
}

export function clientGoneError(): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_CONNECTION_FAILED',
    'A launch was dropped: its client gave up before the host came to it.',
  );
}

function endedEarlyError(): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_TRUNCATED_MESSAGE',
    'Expected a launch; the connection ended without a byte.',
  );
}

function closedEarlyError(cause: Error | null): SingletonError {
  const message = `The connection ${cause ? 'broke' : 'was closed'} before the launch was complete.`;
  return new SingletonError('ERR_SINGLETON_CONNECTION_FAILED', message, cause ? { cause } : undefined);
}

function asSingletonError(error: unknown): SingletonError {
  if (error instanceof SingletonError) return error;
  return new SingletonError('ERR_SINGLETON_CONNECTION_FAILED', 'A connection failed.', { cause: error });
}
