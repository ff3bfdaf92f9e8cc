import type { Duplex } from 'node:stream';
import type { SingletonError } from './errors.ts';

/** What can be claimed: a TCP port, a socket file, later a lease. docs/transports.md says what has to hold. */
export interface Transport {
  /** The endpoint as a person would read it, such as `tcp://127.0.0.1:1337`. */
  readonly endpoint: string;
  /**
   * Takes the endpoint. Resolves to `undefined` when somebody has it.
   * @throws SingletonError `ERR_SINGLETON_ENDPOINT_UNAVAILABLE` where nobody could have it
   */
  listen(onConnection: (connection: Connection) => void, options: ListenOptions): Promise<Listener | undefined>;
  /**
   * Connects to the host. Resolves to `undefined` when nobody is there, to a destroyed connection when somebody closed it at
   * once; rejects with the signal's reason when it aborts.
   * @throws SingletonError `ERR_SINGLETON_CONNECTION_FAILED`, or `ERR_SINGLETON_ENDPOINT_UNAVAILABLE` as `listen` does
   */
  connect(options: ConnectOptions): Promise<Connection | undefined>;
}

/** Whom a listener tells, and what a launch is about to do. */
export interface ListenOptions {
  /** A connection failed before `onConnection` saw it. */
  readonly onWarning: (warning: SingletonError) => void;
  /** The endpoint was taken away from the listener. */
  readonly onLost: () => void;
  /**
   * Where the endpoint is taken, this launch connects next, so that `listen` need not find out whether somebody is there.
   * @default false
   */
  readonly skipProbe?: boolean | undefined;
}

/** What bounds a connect. */
export interface ConnectOptions {
  /** Ends the attempt. Made when it is first asked for, which takes a tenth of the time of a hand-off. */
  readonly signal: AbortSignal;
  /**
   * Instead of the signal, and for less: calls back when the attempt is to end, maybe at once, and gives what takes that
   * back. Who passes on another `signal` leaves it out.
   */
  onAbort?(callback: () => void): () => void;
}

/** The hold on an endpoint. */
export interface Listener {
  /** Where it listens, port 0 resolved. */
  readonly endpoint: string;
  /** Gives up the endpoint; open connections go on. Resolves when the endpoint is free. */
  close(): Promise<void>;
  /** Whether the listener and its connections keep the process alive, as on `net.Server`. A new one does. */
  ref(): void;
  /** The opposite of `ref`. */
  unref(): void;
}

/** Any `Duplex`; a `net.Socket` is one. Half-open: an end of the one side is not an end of the other. */
export interface Connection extends Duplex {
  /** The other side's address, where it has one. */
  readonly remoteAddress?: string | undefined;
  /** Whether the other side has given up, which after its end no event tells. */
  isPeerGone?(): boolean;
  /** Whether the other side came only to see whether somebody is there: it left without a byte. Nobody is warned of it. */
  isProbe?(): boolean;
  /** Closes so that the other side can tell it from an end. */
  resetAndDestroy?(): unknown;
}

/** Cuts a connection off. The other side sees a reset where the transport has one, unless this side has ended. */
export function resetConnection(connection: Connection): void {
  try {
    if (!isShuttingDown(connection)) connection.resetAndDestroy?.();
  } catch {
    // A pipe of Node's has the method, and throws.
  }
  connection.destroy();
}

/** libuv refuses a reset while a shutdown is under way (EINVAL), and the descriptor would leak. */
function isShuttingDown({ writableEnded, writableFinished, writableLength }: Connection): boolean {
  return writableEnded && !writableFinished && writableLength === 0;
}
