import type { Duplex } from 'node:stream';
import type { SingletonError } from './errors.ts';

/**
 * An endpoint that can be bound and connected to: a TCP port, a Unix socket, a named pipe. docs/writing-a-transport.md
 * lists what a transport must guarantee, and the suite in `transports/compliance` checks it.
 */
export interface Transport {
  /** The name of the endpoint for people, such as `tcp://127.0.0.1:1337`. */
  readonly endpoint: string;
  /**
   * `network`: other machines can connect. Then the program needs a `secret` and a structured codec.
   * @default 'machine'
   */
  readonly reach?: 'machine' | 'network' | undefined;
  /** Whether a launch connects before it binds. Only if a connect to a free endpoint fails at once, as on this machine. */
  readonly connectFirst?: boolean | undefined;
  /** Milliseconds after which the endpoint of a host that has died is free at the latest. The default of `deliveryTimeout` is no shorter. */
  readonly takeoverTime?: number | undefined;
  /** One sentence for the error at the end of `deliveryTimeout`: why the endpoint is neither free nor answers, and what to do. */
  readonly advice?: string | undefined;
  /**
   * Binds the endpoint. Resolves to `undefined` if it is in use.
   * @throws SingletonError `ERR_SINGLETON_ENDPOINT_UNAVAILABLE` if no process could bind it
   */
  listen(onConnection: (connection: Connection) => void, options: ListenOptions): Promise<Listener | undefined>;
  /**
   * Connects to the host. Resolves to `undefined` if there is no host, and to a destroyed connection if the host closed it
   * at once. Rejects with the reason of `signal` if that aborts. It may wait while the endpoint is held and its host cannot be
   * reached, if an attempt is expensive.
   * @throws SingletonError `ERR_SINGLETON_CONNECTION_FAILED`, or `ERR_SINGLETON_ENDPOINT_UNAVAILABLE` as `listen` does
   */
  connect(options: ConnectOptions): Promise<Connection | undefined>;
  /**
   * Calls back whenever the endpoint may have become free, so that a process in standby binds it without delay. It may miss a
   * change or report one too many: the caller also tries at intervals. Must not keep the process alive.
   */
  watch?(onChange: () => void): Watcher;
}

/** What `Transport.watch` returns. */
export interface Watcher {
  /** No callback follows. */
  close(): void;
}

/** Options of one attempt to bind or to connect. */
export interface AttemptOptions {
  /**
   * Call it with the error after each failure that `listen` or `connect` itself tries again. The last one is the cause of the error
   * at the end of `deliveryTimeout`.
   */
  readonly onRetry?: ((error: Error) => void) | undefined;
}

/** Options of `Transport.listen`. */
export interface ListenOptions extends AttemptOptions {
  /** Ends the attempt when it aborts; `listen` may reject with its reason then. Created on first access, as that of `connect`. */
  readonly signal?: AbortSignal | undefined;
  /** Call it with an error if a connection failed before `onConnection` was called, or with the reason before `onLost`. */
  readonly onWarning: (warning: SingletonError) => void;
  /** Call it once if another process has taken the endpoint away, or its file or lease is gone. */
  readonly onLost: () => void;
  /**
   * If the endpoint is in use, the caller connects next. So `listen` need not connect to find out whether a host answers.
   * @default false
   */
  readonly skipProbe?: boolean | undefined;
}

/** Options of `Transport.connect`. */
export interface ConnectOptions extends AttemptOptions {
  /** Ends the attempt when it aborts. Created on first access, which takes about a tenth of the time of a delivery. */
  readonly signal: AbortSignal;
}

/** For the transports of this package: the key of a function that subscribes to the abort without creating a signal. */
export const onAbort: unique symbol = Symbol('onAbort');

export interface AbortableOptions extends ConnectOptions {
  /** Calls `callback` on abort, at once if it has aborted. Returns a function that unsubscribes. */
  readonly [onAbort]?: (callback: () => void) => () => void;
}

/** A bound endpoint. */
export interface Listener {
  /** The name of the endpoint. Unlike the one of the transport, it has the real port if port 0 was requested. */
  readonly endpoint: string;
  /**
   * The file descriptor of the listening socket, if it has one. A child process that inherits it holds the endpoint, too, until
   * it ends.
   */
  readonly descriptor?: number | undefined;
  /** Where the host can be reached, if `endpoint` does not have it, such as `tcp://10.1.2.3:7001`. */
  readonly address?: string | undefined;
  /**
   * The fencing token: each holder of the endpoint has a larger one than the holder before it, so that a resource can refuse one
   * that was deposed. A safe integer.
   */
  readonly token?: number | undefined;
  /**
   * Whether no other process can hold the endpoint now. Asked before each dispatch, so it must be quick, and read a clock if
   * the endpoint is held for a time. From the first `false` on it stays `false`, and nothing is dispatched any more.
   */
  isHeld?(): boolean;
  /** Stops listening and keeps open connections. Resolves when the endpoint is free. A second call has no effect. */
  close(): Promise<void>;
  /** Makes the listener and its connections keep the process alive, as `net.Server` does. This is the initial state. */
  ref(): void;
  /** The opposite of `ref`. */
  unref(): void;
}

/** A `Duplex` such as `net.Socket`. It is half-open: when one side ends, the other can still send. */
export interface Connection extends Duplex {
  /** The address of the peer, if the transport has addresses. */
  readonly remoteAddress?: string | undefined;
  /** Client: the fencing token of the host that it has looked up. A host with another token does not take the launch. */
  readonly token?: number | undefined;
  /** Whether the peer is gone. After the peer has ended no event reports this, so the host asks before it dispatches. */
  isPeerGone?(): boolean;
  /** Has the system ask whether the peer is still there after so many milliseconds of silence. As `net.Socket` has it. */
  setKeepAlive?(enable: boolean, initialDelay: number): unknown;
  /** Closes the connection so that the peer can tell it from an end: a TCP reset, for example. */
  resetAndDestroy?(): unknown;
}

/** Before an answer after which the peer may disconnect: Node remembers the address of a socket once it was read. */
export function rememberAddress(connection: Connection): void {
  void connection.remoteAddress;
}

/** Milliseconds of silence in a session after which the system asks whether the machine of the peer is still there. */
export const KEEP_ALIVE_DELAY = 30_000;

/** Resets and destroys a connection. If the transport has no reset, or our side is ending, the peer sees an end. */
export function resetConnection(connection: Connection): void {
  try {
    if (!isShuttingDown(connection)) connection.resetAndDestroy?.();
  } catch {
    // Node's sockets have the method for pipes too, but it throws.
  }
  connection.destroy();
}

/** During a shutdown, libuv rejects a reset with EINVAL, and the file descriptor would leak. */
function isShuttingDown({ writableEnded, writableFinished, writableLength }: Connection): boolean {
  return writableEnded && !writableFinished && writableLength === 0;
}
