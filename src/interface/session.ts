import type { Readable, Writable } from 'node:stream';

/**
 * The host's side of what follows the receipt of a waiting launch. What a host sends before the receipt arrives after it. The
 * host decides when the session ends.
 */
export interface Session<R> {
  /** Aborts when the client has gone or was rejected: the client no longer waits for the result. */
  readonly signal: AbortSignal;
  /** Arrives on the client's stdout. */
  readonly stdout: Writable;
  /** Arrives on the client's stderr. */
  readonly stderr: Writable;
  /** The client's stdin, which is requested only when it is read. */
  readonly stdin: Readable;
  /** Resolves when the result was sent or the client has gone; rejects with a `SingletonError` if the client broke the rules. */
  readonly finished: Promise<void>;
  /** Whether there is a result, or the client no longer waits for one. */
  readonly isSettled: boolean;
  /** Whether a stream is in use: piped, read, or waiting to write more. */
  readonly isInUse: boolean;
  /** Whether all output was sent. */
  readonly isFlushed: boolean;
  /** Called when one of the three above has changed. */
  onChange: () => void;
  /** Called when the host writes or sets a result although there is a result already. */
  onLate: () => void;
  /**
   * Sets a value as the result. `false` if there is a result, or the client no longer waits for one.
   * @throws SingletonError `ERR_SINGLETON_UNENCODABLE`, `ERR_SINGLETON_MESSAGE_TOO_LARGE`; there is no result then
   */
  reply(value: R): boolean;
  /** Sets an exit status as the result, 0 to 255. `false` if there is a result, or the client no longer waits for one. */
  exit(code: number): boolean;
  /** Sets `ERR_SINGLETON_LISTENER_FAILED` as the result. `false` if there is a result, or the client no longer waits for one. */
  fail(): boolean;
  /** Sends the result after all output and after the receipt. */
  end(): void;
}

/** The streams of a waiting client. Each is accessed only when it is needed. */
export interface Stdio {
  /** Receives the host's output. It is not ended. */
  readonly stdout: Writable;
  /** Receives the host's output. It is not ended. */
  readonly stderr: Writable;
  /** Read when the host requests it. */
  readonly stdin: Readable;
}
