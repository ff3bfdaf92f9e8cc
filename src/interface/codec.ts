import type { Duplex, Readable, Writable } from 'node:stream';
import type { SingletonError } from './errors.ts';
import type { Receipt } from './receipt.ts';
import type { Connection } from './transport.ts';

/** Turns values into bytes and runs connections. `T` is the type of a launch's `args`, `R` the type of a host's reply. */
export interface Codec<T, R = unknown> {
  /** A name for people and logs. A structured protocol has its own copy, which host and client compare. */
  readonly name: string;
  /** Runs the connections of this codec. */
  readonly protocol: Protocol<T, R>;
  /**
   * Checks the options before anything is sent or bound. Returns a warning that is not fatal; a host emits it as `warning`.
   * @throws SingletonError `ERR_SINGLETON_INVALID_OPTION`
   */
  check?(options: CodecOptions): SingletonError | undefined;
}

/** The options that `Codec.check` receives. */
export interface CodecOptions {
  /** The arguments of this launch. */
  readonly args: unknown;
  /** The secret as bytes, if one is set. */
  readonly secret: Uint8Array | undefined;
  /** The name of the application, '' by default. */
  readonly name: string;
  /** Whether this launch waits for a result. */
  readonly wait: boolean;
  /** The largest message that is sent or received, in bytes. */
  readonly maxMessageBytes: number;
}

/** The wire format of one message. */
export interface Format<Message> {
  /** Encodes one message. @throws SingletonError `ERR_SINGLETON_UNENCODABLE` */
  encode(message: Message): Uint8Array;
  /** Creates a decoder for one connection. */
  createDecoder(limits: DecodeLimits): Decoder<Message>;
}

/**
 * Turns chunks of any size into whole messages. It throws `SingletonError` only. After the first error, every call throws
 * that error.
 */
export interface Decoder<Message> {
  /**
   * Returns the messages that this chunk completes. If an error follows a message in the chunk, the next call throws it.
   * @throws SingletonError
   */
  push(chunk: Uint8Array): Message[];
  /** Ends the stream. Returns the messages that the end completes. @throws SingletonError if a message is incomplete */
  end(): Message[];
}

/** Limits of a decoder. */
export interface DecodeLimits {
  /** Bytes. A longer message is rejected before more of it is buffered. */
  readonly maxMessageBytes: number;
}

/** Runs a connection from its first byte to its last, on both sides. It knows nothing of endpoints and client numbers. */
export interface Protocol<T, R = unknown> {
  /**
   * Host: loads the code that reads launches. Called once the host is listening, because clients do not need that code.
   * @throws SingletonError `ERR_SINGLETON_INVALID_OPTION` if it cannot be loaded; the endpoint is released then
   */
  inbound(): Promise<ReadLaunch<T, R>>;
  /**
   * Client: encodes the launch once. Returns a function that delivers it over one connection, once for each attempt.
   * @throws SingletonError if the launch cannot be encoded or is too large; nothing was sent then
   */
  outbound(launch: Launch<T>, options: ProtocolOptions): Deliver<R>;
}

/**
 * Reads one launch from a connection and reports it to `handler`, never within this call. Returns the way to answer the
 * client, or `undefined` if the wire format has no answer: then the host itself detects a client that closes too early.
 */
export type ReadLaunch<T, R = unknown> = (
  connection: Duplex,
  options: ProtocolOptions,
  handler: LaunchHandler<T, R>,
) => Responder | undefined;

/** The options that host and client share. */
export interface ProtocolOptions extends DecodeLimits {
  /** The secret as bytes, if one is set. The client proves it; with a structured codec the host does too. */
  readonly secret: Uint8Array | undefined;
  /** The name of the application. Both sides must have the same, '' included. */
  readonly name: string;
}

/** What a client delivers. */
export interface Launch<T> {
  /** The arguments. */
  readonly args: T;
  /** The working directory of the client, if the codec carries it. */
  readonly cwd?: string | undefined;
  /** The process id of the client, if the codec carries it. */
  readonly pid?: number | undefined;
  /** Whether the client waits for the result after the receipt. */
  readonly wait?: boolean | undefined;
}

/** Callbacks for one connection, never called within `ReadLaunch` itself. Only the first call has an effect. */
export interface LaunchHandler<T, R = unknown> {
  /** Called when a launch is complete, or was not verified. */
  onLaunch(result: LaunchResult<T, R>): void;
  /** Called with a `SingletonError` if the bytes are not a launch, or the client disconnected. */
  onError(error: unknown): void;
}

/** A complete and verified launch, or the reason why it was not verified. */
export type LaunchResult<T, R = unknown> =
  VerifiedLaunch<T, R> | { readonly verified: false; readonly reason: VerifyFailureReason };

/** A complete and verified launch, which the host may count. */
export interface VerifiedLaunch<T, R = unknown> {
  /** The client has proven the secret, or none is set. */
  readonly verified: true;
  /** What the client delivered. */
  readonly launch: Launch<T>;
  /** The size of the launch on the wire, in bytes. It bounds the queue of launches that wait for a listener. */
  readonly bytes: number;
  /** The session of a client that waits. */
  readonly session?: Session<R> | undefined;
}

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

/**
 * Answers a client. Only the first call is sent; after `accept`, `rejectRetryable` still aborts the session of a waiting
 * client. The client closes the connection.
 */
export interface Responder {
  /** Why the launch must not run: its client has disconnected, or broke the protocol. `undefined` as long as it may run. */
  readonly error: SingletonError | undefined;
  /** Sends the receipt: the launch was dispatched. */
  accept(receipt: ReceiptData): void;
  /** Sends a refusal: the launch will not be dispatched, now or later. */
  reject(reason: RefusalCode): void;
  /** The launch was not accepted, and the client may deliver it to the next host. An open session is aborted. */
  rejectRetryable(): void;
}

/** The data of a receipt. */
export interface ReceiptData {
  /** What became of the launch. */
  readonly outcome: ReceiptOutcome;
  /** The number of the client, from 1. */
  readonly client: number;
  /** When the host bound its endpoint: milliseconds since 1970. */
  readonly since: number;
}

/** The outcomes that a host can send. */
export type ReceiptOutcome = Extract<Receipt['outcome'], 'delivered' | 'throttled' | 'released'>;

/** The errors that a host can send to a client. */
export type RefusalCode = Extract<
  SingletonError['code'],
  | 'ERR_SINGLETON_INVALID_ARGS'
  | 'ERR_SINGLETON_MESSAGE_TOO_LARGE'
  | 'ERR_SINGLETON_MALFORMED_MESSAGE'
  | 'ERR_SINGLETON_BUSY'
  | 'ERR_SINGLETON_LISTENER_FAILED'
  | 'ERR_SINGLETON_RELEASED'
>;

/**
 * Why a client failed the verification.
 *
 * - `wrong-secret`: the client has another secret.
 * - `missing-secret`: the host has a secret, the client has none.
 * - `unexpected-secret`: the client has a secret, the host has none.
 * - `replayed-handshake`: the handshake was valid, but the launch does not decrypt. The bytes were recorded from an earlier
 *   connection, or changed on the way.
 */
export type VerifyFailureReason = 'wrong-secret' | 'missing-secret' | 'unexpected-secret' | 'replayed-handshake';

/** Delivers a launch. Resolves to `undefined` if the host did not accept it, so that it is safe to retry. */
export type Deliver<R = unknown> = (connection: Connection) => Promise<DeliveryResult<R> | undefined>;

/** A launch that the host has accepted. */
export interface DeliveryResult<R = unknown> {
  /** What became of it. */
  readonly receipt: Receipt<R>;
  /**
   * Present if the client waits, and must be called then. Passes output and input on until the result arrives, closes the
   * connection and resolves to the final receipt. Rejects if the signal aborts.
   */
  readonly runSession?: (streams: Stdio, signal: AbortSignal) => Promise<Receipt<R>>;
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
