import type { Duplex } from 'node:stream';
import type { Codec, DecodeLimits } from './codec.ts';
import type { SingletonError } from './errors.ts';
import type { Receipt } from './receipt.ts';
import type { Session, Stdio, WatchClient } from './session.ts';
import type { Connection } from './transport.ts';

/** Runs a connection from its first byte to its last, on both sides. It knows nothing of endpoints and client numbers. */
export interface Protocol<T, R = unknown> {
  /** The first byte of each connection, if the protocol has one. A host with several codecs distinguishes the protocols by it. */
  readonly firstByte?: number | undefined;
  /**
   * Host: loads the code that reads launches. Called once the host is listening, because clients do not need that code. `codecs`
   * are those of the host that have this protocol, in order; this protocol is that of the first.
   * @throws SingletonError `ERR_SINGLETON_INVALID_OPTION` if it cannot be loaded; the endpoint is released then
   */
  inbound(codecs: readonly Codec<T, R>[]): Promise<ReadLaunch<T, R>>;
  /**
   * Client: encodes the launch once. Returns a function that delivers it over one connection, once for each attempt.
   * @throws SingletonError if the launch cannot be encoded or is too large; nothing was sent then
   */
  outbound(launch: Launch<T>, options: OutboundOptions): Deliver<R>;
  /** Client: returns a function that asks a host for its status over one connection, once for each attempt. */
  status(options: ProtocolOptions): AskStatus;
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

/** The options of a client. */
export interface OutboundOptions extends ProtocolOptions {
  /** Whether to ask this host to release the endpoint, instead of the delivery. Called for each host that is found. */
  readonly replace?: ((status: StatusData) => boolean) | undefined;
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
  /** The version of the client's program, if it has one and the codec carries it. */
  readonly version?: string | undefined;
  /** The fencing token of the host that the client has looked up. */
  readonly token?: number | undefined;
  /** Environment variables of the client, by name. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Which outputs of a client that waits are terminals. */
  readonly terminals?: Terminals | undefined;
}

/** The terminals of a client, by stream. */
export interface Terminals {
  readonly stdout?: Terminal | undefined;
  readonly stderr?: Terminal | undefined;
}

/** A terminal, as `tty.WriteStream` has it. */
export interface Terminal {
  readonly columns: number;
  readonly rows: number;
  /** Bits for a colour: 1, 4, 8 or 24. */
  readonly colorDepth: number;
}

/** Callbacks for one connection, never called within `ReadLaunch` itself. Only the first call of an `on…` has an effect. */
export interface LaunchHandler<T, R = unknown> {
  /** Called when a launch is complete, or was not verified. */
  onLaunch(result: LaunchResult<T, R>): void;
  /** Called if the client asks the host to release the endpoint, so that it can become host. */
  onReplace(): void;
  /**
   * Called with a `SingletonError` if the bytes are not a launch, or the client disconnected; with `undefined` if it wanted no
   * more than the status.
   */
  onError(error: unknown): void;
  /** The status of the host. The client may send a launch after it. */
  status(): StatusData;
}

/** A complete and verified launch, or the reason why it was not verified. */
export type LaunchResult<T, R = unknown> =
  VerifiedLaunch<T, R> | { readonly verified: false; readonly reason: VerifyFailureReason };

/** A complete and verified launch, which the host may count. */
export interface VerifiedLaunch<T, R = unknown> {
  /** The client has proven the secret, or none is set. */
  readonly verified: true;
  /** The name of the codec. */
  readonly codec: string;
  /** What the client delivered. */
  readonly launch: Launch<T>;
  /** The size of the launch on the wire, in bytes. It bounds the queue of launches that wait for a listener. */
  readonly bytes: number;
  /** The session of a client that waits. */
  readonly session?: Session<R> | undefined;
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
  /** Sends a refusal, with a text for a log of the client: the launch will not be dispatched, now or later. */
  reject(reason: RefusalCode, text?: string): void;
  /** Sends that the endpoint is free, to a client that asked for it. */
  replaced(): void;
  /** Sends to a client that waits for its result that the host works: see `Session.ping`. */
  ping(): void;
  /** The launch was not accepted, and the client may deliver it to the next host. An open session is aborted. */
  rejectRetryable(): void;
}

/** The data of a receipt. */
export interface ReceiptData {
  /** What became of the launch. */
  readonly outcome: ReceiptOutcome;
  /** The number of the client, from 1. */
  readonly client: number;
  /** The process id of the host. */
  readonly pid: number;
  /** When the host bound its endpoint: milliseconds since 1970. */
  readonly since: number;
  /** The version of the host's program. */
  readonly version?: string | undefined;
  /** The fencing token of the host, if its transport has one. */
  readonly token?: number | undefined;
  /** Where the host can be reached, if its endpoint does not have it. */
  readonly address?: string | undefined;
}

/** The data of a status. */
export interface StatusData {
  /** The process id of the host. */
  readonly pid: number;
  /** When the host bound its endpoint: milliseconds since 1970. */
  readonly since: number;
  /** The version of the host's program. */
  readonly version?: string | undefined;
  /** The fencing token of the host, if its transport has one. */
  readonly token?: number | undefined;
  /** Where the host can be reached, if its endpoint does not have it. */
  readonly address?: string | undefined;
  /** How many clients were counted. */
  readonly clients: number;
  /** How many launches wait for a listener. */
  readonly pending: number;
  /** How many launches wait for their result. */
  readonly sessions: number;
  /** The names of the codecs that the host accepts. */
  readonly codecs: readonly string[];
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
  | 'ERR_SINGLETON_REPLACE_REFUSED'
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

/**
 * Delivers a launch. Resolves to `undefined` if the host did not accept it, so that it is safe to retry; to "replaced" if it has
 * released the endpoint for this client.
 */
export type Deliver<R = unknown> = (connection: Connection) => Promise<DeliveryResult<R> | 'replaced' | undefined>;

/** Asks for the status. Resolves to `undefined` if the host did not answer, so that it is safe to retry. */
export type AskStatus = (connection: Connection) => Promise<Partial<StatusData> | undefined>;

/** A launch that the host has accepted. */
export interface DeliveryResult<R = unknown> {
  /** What became of it. */
  readonly receipt: Receipt<R>;
  /**
   * Present if the client waits, and must be called then. Passes output and input on, and what `watch` reports, until the result
   * arrives, closes the connection and resolves to the final receipt. Rejects if the signal aborts.
   */
  readonly runSession?: (streams: Stdio, signal: AbortSignal, watch?: WatchClient) => Promise<Receipt<R>>;
}
