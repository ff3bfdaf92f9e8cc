import type { Readable, Writable } from 'node:stream';
import type { Terminals } from './protocol.ts';

/** An output of the client, with those members of `tty.WriteStream` by which a program decides on colours and widths. */
export interface ClientOutput extends Writable {
  /** `true` if the output of the client is a terminal, else `undefined`. */
  readonly isTTY: true | undefined;
  /**
   * The width of the terminal, 0 if it has none; `undefined` if the output is not a terminal. The stream emits `resize` after a
   * change.
   */
  readonly columns: number | undefined;
  /** The height of the terminal, as `columns`. */
  readonly rows: number | undefined;
  /** Columns and rows; `[0, 0]` if the output is not a terminal. */
  getWindowSize(): [columns: number, rows: number];
  /** Bits for a colour, as Node found them at the client: 1, 4, 8 or 24. 1 if the output is not a terminal. */
  getColorDepth(): number;
  /** Whether the terminal has at least `count` colours. @default 16 */
  hasColors(count?: number): boolean;
}

/**
 * The host's side of what follows the receipt of a waiting launch. What a host sends before the receipt arrives after it. The
 * host decides when the session ends.
 */
export interface Session<R> {
  /** Aborts when the client has gone or was rejected: the client no longer waits for the result. */
  readonly signal: AbortSignal;
  /** Arrives on the client's stdout. */
  readonly stdout: ClientOutput;
  /** Arrives on the client's stderr. */
  readonly stderr: ClientOutput;
  /** The client's stdin, which is requested only when it is read. */
  readonly stdin: Readable;
  /**
   * Resolves to `true` when the result was sent and may take its time to arrive, to `false` when the client has gone or the
   * session was aborted. Rejects with a `SingletonError` if the client broke the rules.
   */
  readonly finished: Promise<boolean>;
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
  /** Called once, when the session has ended. */
  onEnd: (end: SessionResult) => void;
  /** Called with the name of a signal that the client has received and forwards, not after the result. */
  onSignal: (signal: string) => void;
  /**
   * Sets a value as the result. `false` if there is a result, or the client no longer waits for one.
   * @throws SingletonError `ERR_SINGLETON_UNENCODABLE`, `ERR_SINGLETON_MESSAGE_TOO_LARGE`; there is no result then
   */
  reply(value: R): boolean;
  /** Sets an exit status as the result, 0 to 255. `false` if there is a result, or the client no longer waits for one. */
  exit(code: number): boolean;
  /** Sets `ERR_SINGLETON_LISTENER_FAILED` as the result. `false` if there is a result, or the client no longer waits for one. */
  fail(): boolean;
  /** Sends a frame that the client skips, so that it can distinguish a host that works from one that is dead. */
  ping(): void;
  /** Sends the result after all output and after the receipt. */
  end(): void;
  /** Ends now with this status, as if the signal had ended the client: output that was not sent is lost, and `signal` aborts. */
  kill(signal: string, status: number): void;
}

/** How a session has ended. */
export interface SessionResult {
  /**
   * - `reply`, `exit`: the result was sent.
   * - `failed`: a listener threw or rejected, or its result could not be sent.
   * - `killed`: a signal has ended the client, and there was no listener for it (`client.on('signal')`).
   * - `disconnected`: the client disconnected before the result was sent, or sent invalid bytes.
   * - `refused`: the launch was dropped because the queue was full (`maxPending`).
   * - `released`: the host was released, or its process has exited, before the result was sent.
   */
  readonly result: 'reply' | 'exit' | 'failed' | 'killed' | 'disconnected' | 'refused' | 'released';
  /** The exit status of the client; 0 after a reply. Only with `reply`, `exit` and `killed`. */
  readonly exitCode?: number;
  /** The value with which the host replied. Only with `reply`. */
  readonly reply?: unknown;
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

/** Begins to report what happens at a client. Returns a function that ends it. */
export type WatchClient = (report: ClientReport) => () => void;

/** What a client reports to its host during a session. */
export interface ClientReport {
  /** The terminals as they are now. Called once at first, and when one was resized. */
  terminals(terminals: Terminals): void;
  /** The process has received a signal that is forwarded. */
  signal(name: string): void;
}
