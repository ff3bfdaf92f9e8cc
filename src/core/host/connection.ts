import type {
  LaunchHandler,
  LaunchResult,
  ReadLaunch,
  ReceiptData,
  Responder,
  StatusData,
} from '../../interface/protocol.ts';
import type { Session } from '../../interface/session.ts';
import { atEndpoint, clientGoneError, cutOffByReleaseError, SingletonError } from '../../interface/errors.ts';
import { type Connection, KEEP_ALIVE_DELAY, resetConnection } from '../../interface/transport.ts';
import { describeIssues, parseArgs } from '../options/schema.ts';
import type { ConnectionManager } from './connections.ts';
import type { Host } from './host.ts';
import { selectReader } from './readers.ts';

/**
 * `verifying`: its schema is at work. `open`: its session has begun. `closing`: it was answered or reset, and closes within a
 * second. `draining`: its result was sent, and may take as long as the client's terminal is slow.
 */
export type ConnectionState = 'reading' | 'verifying' | 'dispatching' | 'open' | 'closing' | 'draining' | 'closed';

/** The origin of a connection: a client, or the host itself with its own launch. */
export type Origin = 'client' | 'own';

/** One connection of a host, from its first byte to its last. It alone knows what was sent to its client. */
export class HostConnection<T, R> implements LaunchHandler<T, R> {
  /** When it is cut off, in milliseconds of `now()`. */
  deadline: number = Infinity;
  /** Removes it from the connections of its host. */
  leave: () => void = ignore;
  readonly #connection: Connection;
  readonly #origin: Origin;
  readonly #host: Host<T, R>;
  readonly #manager: ConnectionManager<T, R>;
  #state: ConnectionState = 'reading';
  /** Whether there was a launch or an error. The codec may report an error after the connection has closed. */
  #isSettled = false;
  #responder: Responder | undefined;
  /** What was dispatched. From here on the client must not try again. */
  #receipt: ReceiptData | undefined;

  constructor(connection: Connection, origin: Origin, host: Host<T, R>, manager: ConnectionManager<T, R>) {
    this.#connection = connection;
    this.#origin = origin;
    this.#host = host;
    this.#manager = manager;
    connection.on('error', ignore).on('close', () => this.#onClose());
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Whether its launch is not complete. */
  get isReading(): boolean {
    return this.#state === 'reading' || this.#state === 'verifying';
  }

  /** Whether nothing has arrived. */
  get isSilent(): boolean {
    return this.#state === 'reading' && !this.#connection.readableDidRead;
  }

  /** `undefined` if the codec does not answer. */
  get responder(): Responder | undefined {
    return this.#responder;
  }

  /** Begins to read its launch. */
  read(): void {
    if (this.#connection.closed) return this.#onClose();
    // It ended without a byte before anybody read it: its end is not emitted again.
    if (this.#connection.readableEnded) return this.onError(undefined);
    const { readers, options } = this.#host;
    const readBy = (readLaunch: ReadLaunch<T, R>): void => {
      try {
        this.#responder = readLaunch(this.#connection, options, this);
      } catch (error) {
        this.onError(error);
      }
    };
    selectReader(readers, this.#connection, readBy, () => this.onError(undefined));
  }

  onLaunch(result: LaunchResult<T, R>): void {
    if (this.#isSettled || this.#state === 'verifying') return;
    const { schema } = this.#host.options;
    if (!schema || !result.verified) return this.#dispatch(result);
    this.#setState('verifying');
    const { launch } = result;
    parseArgs(schema, launch.args).then(
      (args) => this.#isSettled || this.#dispatch({ ...result, launch: { ...launch, args } }),
      (error: unknown) => {
        if (this.#isSettled) return;
        this.#responder?.reject('ERR_SINGLETON_INVALID_ARGS', describeIssues(error));
        this.#end(error);
      },
    );
  }

  onReplace(): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#setState('dispatching');
    void this.#replace();
  }

  status(): StatusData {
    return this.#host.status();
  }

  /** The client sent no valid launch, or it has gone, or its time has expired. `undefined`: there is nothing to report. */
  onError(error: unknown): void {
    if (!this.#isSettled) this.#end(error);
  }

  /**
   * Ends it now: a client whose launch was dispatched learns so, or has its session aborted; any other may try again. Without
   * an error nothing is reported.
   */
  end(error?: SingletonError): void {
    if (!this.#isSettled) this.#end(error);
    else if (this.#state === 'dispatching' || this.#state === 'open') this.#answer();
    // It was not dispatched yet, and an end would say that it was.
    if (this.#state === 'dispatching' && !this.#receipt && !this.#responder) resetConnection(this.#connection);
  }

  destroy(): void {
    this.#connection.destroy();
    this.#setState('closed');
  }

  /** Closes so that the client can tell it from an end. */
  reset(): void {
    resetConnection(this.#connection);
  }

  #dispatch(result: LaunchResult<T, R>): void {
    this.#isSettled = true;
    this.#setState('dispatching');
    const { remoteAddress } = this.#connection;
    try {
      if (!result.verified) {
        this.#host.onVerifyFailed({ reason: result.reason, remoteAddress });
        return this.#close('closing');
      }
      const { server } = this.#host;
      if (!server.checkHeld() || this.#manager.isClosing) throw cutOffByReleaseError();
      const { token } = result.launch;
      if (token !== undefined && token !== server.bound.token) throw otherHostError();
      const error = this.#connection.isPeerGone?.() ? clientGoneError() : this.#responder?.error;
      if (error) throw error;
      this.#manager.beforeDispatch(result.session !== undefined);
      const onCounted = (receipt: ReceiptData): void => void (this.#receipt = receipt);
      const isTaken = this.#host.onLaunch(result, this.#origin, remoteAddress, onCounted);
      if (!isTaken) this.#responder?.reject('ERR_SINGLETON_BUSY', `maxPending is ${this.#host.options.maxPending}`);
      else if (this.#receipt) this.#responder?.accept(this.#receipt);
      if (isTaken && result.session) void this.#runSession(result.session);
      else this.#close('closing');
    } catch (error) {
      this.#end(error);
    }
  }

  async #replace(): Promise<void> {
    const outcome = await this.#host.replace();
    if (outcome === 'replaced') this.#responder?.replaced();
    else if (outcome === 'refused') this.#responder?.reject('ERR_SINGLETON_REPLACE_REFUSED', 'allowReplace is false');
    else this.#responder?.rejectRetryable();
    this.#close('closing');
  }

  async #runSession({ finished }: Session<R>): Promise<void> {
    this.#setState('open');
    // If the client loses its power or its network, nothing arrives any more, not even an end.
    this.#connection.setKeepAlive?.(true, KEEP_ALIVE_DELAY);
    try {
      const hasResult = await finished;
      // Output may still be draining to a slow terminal. Such connections are closed first at maxConnections and on release.
      this.#close(hasResult ? 'draining' : 'closing');
    } catch (error) {
      this.#end(error);
    }
  }

  /** Lets the client try again, unless its launch was dispatched. Reports the error last: a listener may do anything. */
  #end(error: unknown): void {
    this.#isSettled = true;
    const connection = this.#connection;
    try {
      this.#answer();
    } catch {
      resetConnection(connection);
    }
    // If the client has ended, end too; otherwise reset, so that this side does not enter TIME_WAIT.
    if (!this.#responder && !(connection.readableEnded && !this.#manager.isClosing)) resetConnection(connection);
    this.#close('closing');
    if (error !== undefined) this.#host.warn(atEndpoint(asSingletonError(error), this.#host.endpoint));
  }

  #answer(): void {
    if (this.#receipt) this.#responder?.accept(this.#receipt);
    this.#responder?.rejectRetryable();
  }

  /** A client with an answer closes first, so that this side does not enter TIME_WAIT. */
  #close(state: 'closing' | 'draining'): void {
    const connection = this.#connection;
    this.#setState(state);
    if (connection.destroyed) return;
    if (!this.#responder || connection.readableEnded) connection.end();
    else connection.on('end', () => connection.end()).resume();
  }

  #onClose(): void {
    // An error is expensive to make: each has a stack trace.
    if (!this.#responder && !this.#isSettled) this.#end(closedEarlyError(this.#connection.errored));
    this.#setState('closed');
  }

  #setState(state: ConnectionState): void {
    const before = this.#state;
    if (before === 'closed' || before === state) return;
    this.#state = state;
    this.#manager.onStateChange(this, before);
  }
}

function ignore(): void {}

function otherHostError(): SingletonError {
  const message = 'A launch was meant for a host with another fencing token. Its client tries again.';
  return new SingletonError('ERR_SINGLETON_RELEASED', message);
}

function closedEarlyError(cause: Error | null): SingletonError {
  const message = `A connection ${cause ? 'failed' : 'was closed'} before its launch was complete.`;
  return new SingletonError('ERR_SINGLETON_CONNECTION_FAILED', message, cause ? { cause } : undefined);
}

function asSingletonError(error: unknown): SingletonError {
  if (error instanceof SingletonError) return error;
  return new SingletonError('ERR_SINGLETON_CONNECTION_FAILED', 'A connection failed.', { cause: error });
}
