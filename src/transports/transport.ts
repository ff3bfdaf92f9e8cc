import type { Duplex } from 'node:stream';
import type { SingletonError } from '../core/errors.ts';

/** What can be claimed: a TCP port, later a socket file, a lease. */
export interface Transport {
  /** The place as a person would read it, such as `tcp://127.0.0.1:1337`. */
  readonly place: string;
  /**
   * Takes the place. Resolves to `undefined` when somebody has it.
   * @throws SingletonError `ERR_SINGLETON_PLACE_UNAVAILABLE` where nobody could have it
   */
  listen(onConnection: (connection: Connection) => void, options: ListenOptions): Promise<Listener | undefined>;
  /**
   * Connects to the host. Resolves to `undefined` when nobody is there, to a destroyed connection when somebody closed it at
   * once; rejects with the signal's reason when it aborts.
   * @throws SingletonError `ERR_SINGLETON_CONNECTION_FAILED`
   */
  connect(options: ConnectOptions): Promise<Connection | undefined>;
}

/** Whom a listener tells. */
export interface ListenOptions {
  /** A connection failed before `onConnection` saw it. */
  readonly onWarning: (warning: SingletonError) => void;
  /** The place was taken away from the listener. */
  readonly onLost: () => void;
}

/** What bounds a connect. */
export interface ConnectOptions {
  /** Ends the attempt. */
  readonly signal: AbortSignal;
}

/** The hold on a place. */
export interface Listener {
  /** Where it listens, port 0 resolved. */
  readonly place: string;
  /** Gives up the place; open connections go on. Resolves when the place is free. */
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
  isGone?(): boolean;
  /** Closes so that the other side can tell it from an end. */
  resetAndDestroy?(): unknown;
}

/** Cuts a connection off. The other side sees a reset where the transport has one, unless this side has ended. */
export function abort(connection: Connection): void {
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
