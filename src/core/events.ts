import type { Readable } from 'node:stream';
import type { VerifyFailureReason } from '../interface/protocol.ts';
import type { SingletonError } from '../interface/errors.ts';
import type { ClientOutput } from '../interface/session.ts';

/** The events of a host. There is no `error` event: a missing listener must not end the host. */
export type SingletonEvents<T = readonly string[], R = unknown> = {
  /**
   * A launch was dispatched. A launch without arguments is not, unless it waits. If the listener returns a promise, the
   * session of a waiting launch stays open until that settles.
   */
  args: (args: T, client: Client<R>) => unknown;
  /** A client was counted. Emitted before its `args`. A promise is treated as that of an `args` listener. */
  client: (client: Client<R>) => unknown;
  /** The endpoint is free. Emitted once. */
  release: (reason: ReleaseReason) => void;
  /** The hold time (`timeout`) has expired. `release` follows. */
  timeout: () => void;
  /** A client did not prove the secret. At most 100 in ten seconds; a `warning` has the number of the others. */
  verifyFailed: (failure: VerifyFailure) => void;
  /** A connection failed, sent invalid bytes, or a listener failed. The host goes on. */
  warning: (error: SingletonError) => void;
};

/**
 * One launch, as the host sees it. A member is `undefined` if the codec or the transport does not carry it.
 *
 * The session of a `waiting` launch ends with its result, the first `reply` or `exit`: at once if one listener was called,
 * else when all listeners have settled. Without a result it ends when all have settled and no stream is in use (piped or
 * read), with status 0, or with `ERR_SINGLETON_LISTENER_FAILED` if a listener threw or rejected.
 */
export interface Client<R = unknown> {
  /** 1 for the first client that was counted, 0 for the host's own launch. */
  readonly number: number;
  /** Whether this is the host's own launch (option `self`). Its streams are those of this process. */
  readonly self: boolean;
  /** The working directory of the client. */
  readonly cwd: string | undefined;
  /** The process id of the client. */
  readonly pid: number | undefined;
  /** The address of the client. */
  readonly remoteAddress: string | undefined;
  /** The name of the client's codec: which one it is if the host accepts several. */
  readonly codec: string;
  /** The `version` of the client's program. */
  readonly version: string | undefined;
  /** The environment variables that the client has sent (`forwardEnv`), those that are set there. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether the client waits for a result (`wait`) and has none yet. If not, output and results are discarded. */
  readonly waiting: boolean;
  /** Aborts when a waiting client has disconnected, or a signal has ended it, so that work for it can stop. */
  readonly signal: AbortSignal;
  /** The client's stdout. Written in order; a slow reader there slows the writer here. Its errors need no listener. */
  readonly stdout: ClientOutput;
  /** The client's stderr, as `stdout`. */
  readonly stderr: ClientOutput;
  /** The client's stdin, which is requested only when it is read here. Empty if the client does not wait. */
  readonly stdin: Readable;
  /**
   * Sets a value as the result. The client exits with status 0 after all output has arrived. Returns `false` if there is a
   * result already, or the client does not wait. A value that cannot be sent fails the launch with
   * `ERR_SINGLETON_LISTENER_FAILED`, is a `warning`, and returns `false`.
   */
  reply(value: R): boolean;
  /**
   * Sets an exit status as the result, 0 to 255. The client exits with it after all output has arrived. Returns `false` if
   * there is a result already, or the client does not wait. Takes what the `exit` event of a child process gives: if `code` is
   * `null`, the status is 128 and the number of `signal`. Another value fails the launch with `ERR_SINGLETON_LISTENER_FAILED`,
   * is a `warning`, and returns `false`.
   * @default 0
   */
  exit(code?: number | null, signal?: NodeJS.Signals | null): boolean;
  /**
   * The client has received a signal that it forwards (`forwardSignals`). Without a listener, the launch ends as if the signal had
   * ended the client: `signal` aborts, and the client exits with 128 and the number of the signal. A listener that throws or
   * rejects is a `warning`, and fails the launch if it gets no result. A client on another system may have signals of other names.
   * @example
   * client.on('signal', (signal) => child.kill(signal));
   */
  on(event: 'signal', listener: (signal: NodeJS.Signals) => unknown): this;
  /** As `on`, for the next signal only. */
  once(event: 'signal', listener: (signal: NodeJS.Signals) => unknown): this;
  /** Removes a listener. */
  off(event: 'signal', listener: (signal: NodeJS.Signals) => unknown): this;
}

/** A callback of `trace`: the arguments of one launch, then the values stored with it. */
export type Observer<T, Stored extends readonly unknown[]> = (args: T, ...stored: Stored) => unknown;

/** The observers of `trace`, each with its stored values. `any`: `trace` accepts only what fits its observer. */
export type Observers<T> = ReadonlyMap<Observer<T, any[]>, readonly unknown[]>;

/** A launch with its client, as `for await` yields them. */
export interface Arrival<T, R = unknown> {
  /** The arguments. */
  readonly args: T;
  /** The client that delivered them. */
  readonly client: Client<R>;
}

/**
 * Why the endpoint is free.
 * - `manual`: `release()` was called, or a `using` block ended.
 * - `timeout`: the hold time has expired.
 * - `threshold`: `releaseThreshold` was reached.
 * - `aborted`: the signal aborted.
 * - `idle`: no launch was delivered, waiting or at work for `idleTimeout`.
 * - `replaced`: a launch with `replace` becomes the host.
 * - `lost`: another process took the endpoint away, for example by replacing the socket file.
 */
export type ReleaseReason = 'manual' | 'timeout' | 'threshold' | 'aborted' | 'idle' | 'replaced' | 'lost';

/** A client that did not prove the secret. It holds no byte of what the client sent. */
export interface VerifyFailure {
  /** What was wrong with the proof. */
  readonly reason: VerifyFailureReason;
  /** The address of the client. */
  readonly remoteAddress: string | undefined;
  /** When it was refused. */
  readonly time: Date;
  /** How many clients have not proved the secret at this host so far, this one included. */
  readonly count: number;
  /** How many of them had no event since the event before, because there were too many: 0 in most cases. */
  readonly suppressed: number;
}
