import { InUseError, SingletonError } from '../interface/errors.ts';
import { type Connection, type Listener, resetConnection } from '../interface/transport.ts';
import { type LazyAbortController, raceAbort } from './deadline.ts';
import type { ResolvedOptions } from './options/resolved-options.ts';

export type ServerOptions = Pick<
  ResolvedOptions<never>,
  'transport' | 'client' | 'strict' | 'standby' | 'maxConnections'
>;

/** The connections of a host, as far as a server needs them. The host is loaded later. */
export interface ServedConnections {
  accept(connection: Connection): void;
  /** So many connections were reset before the host was loaded. */
  onDropped(count: number): void;
  /** Another process may hold the endpoint: nothing is dispatched any more, and every client gets its answer now. */
  cut(): void;
  /** Resolves when the last connection has closed, and what is at work has finished or the milliseconds have expired. */
  drain(drain: number): Promise<void>;
}

interface Bound extends Pick<Listener, 'endpoint' | 'address' | 'token'> {
  /** When it was bound: milliseconds since 1970. */
  readonly since: number;
}

/** The bound endpoint, and the connections that arrive before the host is loaded. */
export class Server {
  readonly #options: ServerOptions;
  readonly #onWarning: (warning: SingletonError) => void;
  readonly #onLost: () => void;
  /** Connections accepted before there is a host. `undefined` if none is accepted. */
  #backlog: Connection[] | undefined;
  #dropped = 0;
  #connections: ServedConnections | undefined;
  #isServing = false;
  #listener: Listener | undefined;
  #closed: Promise<void> = Promise.resolve();
  #isRef: boolean | undefined;
  #bound: Bound;
  /** Whether the endpoint was held for a time, and that has ended: another process may hold it. */
  isDeposed = false;

  /** `onLost` is called when another process has taken the endpoint after `attach`. */
  constructor(options: ServerOptions, onWarning: (warning: SingletonError) => void, onLost: () => void) {
    this.#options = options;
    this.#onWarning = onWarning;
    this.#onLost = onLost;
    this.#bound = { endpoint: options.transport.endpoint, since: 0 };
  }

  get endpoint(): string {
    return this.#bound.endpoint;
  }

  /** What was bound last. */
  get bound(): Bound {
    return this.#bound;
  }

  get isListening(): boolean {
    return this.#listener !== undefined && this.#connections !== undefined;
  }

  /** Whether launches may be dispatched. Asked before each, because the time may have ended while this process was frozen. */
  checkHeld(): boolean {
    if (!this.isDeposed && this.#listener?.isHeld?.() === false) this.#onListenerLost();
    return !this.isDeposed;
  }

  /**
   * Binds the endpoint; `false` if it is in use. `attach` and `serve` must follow.
   * @throws SingletonError `ERR_SINGLETON_ALREADY_RUNNING` if this process holds it, and would exit after its delivery
   */
  async listen(attempt: LazyAbortController): Promise<boolean> {
    // Each attempt has its own backlog, so that a listener that arrives after the deadline cannot feed a later attempt.
    const backlog: Connection[] = [];
    this.#backlog = backlog;
    this.#dropped = 0;
    this.#connections = undefined;
    this.isDeposed = false;
    const onConnection = (connection: Connection): void => {
      if (this.#backlog !== backlog) rejectConnection(connection);
      else if (this.#isServing) this.#connections?.accept(connection);
      else this.#hold(connection, backlog);
    };
    const options = attempt.attemptOptions({
      onWarning: this.#onWarning,
      onLost: () => this.#onListenerLost(),
      // In standby nothing connects, and a crashed host must be detected.
      skipProbe: this.#options.client && this.#options.standby === 0,
    });
    const listening = this.#options.transport.listen(onConnection, options);
    try {
      this.#listener = await raceAbort(listening, attempt);
    } catch (error) {
      listening.then((late) => late && this.#closeListener(late)).catch(() => {});
      this.#resetBacklog();
      throw error;
    }
    if (!this.#listener) {
      this.#resetBacklog();
      if (this.#options.strict && this.#options.standby === 0 && isOwn(this.endpoint))
        throw alreadyRunningError(this.endpoint);
      return false;
    }
    const { endpoint, address, token } = this.#listener;
    this.#bound = { endpoint, address, token, since: Date.now() };
    ownEndpoints().add(endpoint);
    return true;
  }

  /** @throws SingletonError if the endpoint was lost again before `attach` */
  assertBound(): void {
    if (!this.#listener) throw lostError(this.endpoint);
  }

  /** From now on there is a host, which learns that the endpoint is lost or closed. */
  attach(connections: ServedConnections): void {
    this.#connections = connections;
  }

  /** Passes the backlog and all further connections to the host. */
  serve(): void {
    this.#isServing = true;
    if (this.#dropped > 0) this.#connections?.onDropped(this.#dropped);
    // A listener of the host may close this server in between.
    for (let next = this.#backlog?.shift(); next; next = this.#backlog?.shift()) this.#connections?.accept(next);
    process.off('exit', this.#resetBacklog);
  }

  /** Whether the server and its connections keep the process alive. */
  setRef(isRef: boolean): void {
    // Each call goes through all connections.
    if (isRef === this.#isRef || !this.isListening) return;
    this.#isRef = isRef;
    if (isRef) this.#listener?.ref();
    else this.#listener?.unref();
  }

  /** Resolves when the endpoint is free after `close`. */
  get closed(): Promise<void> {
    return this.#closed;
  }

  /** Frees the endpoint at once. Resolves when the last connection has closed, after about 1.2 s or after `drain` at the latest. */
  async close(drain = 0): Promise<void> {
    const listener = this.#listener;
    this.#listener = undefined;
    this.#resetBacklog();
    if (this.isDeposed) this.#connections?.cut();
    listener?.ref();
    if (listener) this.#closed = this.#closeListener(listener);
    const drained = this.#connections?.drain(drain);
    await this.#closed;
    // After a cut nothing is served, and a client that does not close would delay the event `release`.
    if (!this.isDeposed) await drained;
  }

  /** Before `attach` no launch was dispatched: the attempt fails, and another one may follow. */
  #onListenerLost(): void {
    this.isDeposed ||= this.#listener?.isHeld !== undefined;
    if (this.#connections) this.#onLost();
    else void this.close();
  }

  async #closeListener(listener: Listener): Promise<void> {
    ownEndpoints().delete(listener.endpoint);
    try {
      await listener.close();
    } catch (cause) {
      const message = `The endpoint ${this.endpoint} could not be released.`;
      this.#onWarning(new SingletonError('ERR_SINGLETON_CONNECTION_FAILED', message, { cause }));
    }
  }

  /** Keeps a connection until there is a host. */
  #hold(connection: Connection, backlog: Connection[]): void {
    // An 'error' event without a listener would end the process.
    connection.on('error', () => {});
    // An end would mean success to a client that has no receipts.
    if (backlog.length === 0) process.on('exit', this.#resetBacklog);
    if (backlog.length >= this.#options.maxConnections) this.#drop(backlog);
    backlog.push(connection);
  }

  /** Drops a connection that has gone, else the one that has waited the longest. */
  #drop(backlog: Connection[]): void {
    const gone = backlog.findIndex(({ destroyed }) => destroyed);
    for (const connection of backlog.splice(Math.max(gone, 0), 1)) resetConnection(connection);
    this.#dropped += 1;
  }

  /** Clients that were accepted are reset, so that they try again. */
  readonly #resetBacklog = (): void => {
    process.off('exit', this.#resetBacklog);
    for (const connection of this.#backlog ?? []) resetConnection(connection);
    this.#backlog = undefined;
  };
}

function alreadyRunningError(endpoint: string): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_ALREADY_RUNNING',
    `This process is the host at ${endpoint} already: to deliver a launch to itself and exit would end the host. Acquire ` +
      'once and keep the Singleton, or release it first.',
  );
}

function rejectConnection(connection: Connection): void {
  connection.on('error', () => {});
  resetConnection(connection);
}

function lostError(endpoint: string): InUseError {
  return new InUseError(
    `Another process removed ${endpoint} before this one was ready. No launch was dispatched: acquire again.`,
    undefined,
  );
}

/** Whether this process holds the endpoint, perhaps by another name: a wildcard address, or `localhost`. */
export function isOwn(endpoint: string): boolean {
  const port = portOf(endpoint);
  const isAlias = (own: string): boolean =>
    port !== undefined && portOf(own) === port && [own, endpoint].some((one) => ANY_ADDRESS.test(one));
  return Array.from(ownEndpoints()).some((own) => own === endpoint || isAlias(own));
}

function portOf(endpoint: string): string | undefined {
  return /^tcp:.*:(\d+)$/.exec(endpoint)?.[1];
}

/** An address that may stand for several of this machine: a wildcard or a name. */
const ANY_ADDRESS = /^tcp:\/\/(0\.0\.0\.0|\[::\]|[a-z])/i;

/**
 * The endpoints that this process holds. They are kept at `process`, so that all copies of this package share them: there are
 * several after a hot reload, or if two packages depend on it.
 */
function ownEndpoints(): Set<string> {
  // `any`: a property that Node does not declare.
  const shared: any = process;
  shared[ENDPOINTS] ??= new Set<string>();
  return shared[ENDPOINTS];
}

const ENDPOINTS = Symbol.for('socket-singleton.endpoints');
