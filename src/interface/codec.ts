import type { Duplex, Readable, Writable } from 'node:stream';
import type { SingletonError } from './errors.ts';
import type { Receipt } from './receipt.ts';

/**
 * How values become bytes, and how a connection that carries them goes. `T` is what a launch hands over, `R` what a host
 * replies.
 */
export interface Codec<T, R = unknown> {
  /** Shows in string forms. A conversation compares the one that its `protocol` was made with. */
  readonly name: string;
  /** How a connection in this codec goes. */
  readonly protocol: Protocol<T, R>;
  /**
   * Looks at what this codec is to carry, when the options are read. Returns advice, which a host emits as a `warning`.
   * @throws SingletonError `ERR_SINGLETON_INVALID_OPTION`
   */
  check?(options: CodecOptions): SingletonError | undefined;
}

/** The options that a codec may look at. */
export interface CodecOptions {
  /** What this launch hands over. */
  readonly args: unknown;
  /** As bytes. */
  readonly secret: Uint8Array | undefined;
  /** The application's name. */
  readonly name: string;
  /** Whether this launch stays for an answer. */
  readonly wait: boolean;
}

/** The wire format of one message. */
export interface Format<Message> {
  /** One whole message. @throws SingletonError `ERR_SINGLETON_UNENCODABLE` */
  encode(message: Message): Uint8Array;
  /** A decoder for one connection. */
  createDecoder(limits: DecodeLimits): Decoder<Message>;
}

/**
 * Is fed chunks of any size and gives whole messages. It throws only `SingletonError`, and after the first one it throws
 * that one for ever.
 */
export interface Decoder<Message> {
  /** The messages that this chunk completes. What is wrong behind one of them is thrown by the next call. @throws SingletonError */
  push(chunk: Uint8Array): Message[];
  /** The stream is over: the messages that this completes. @throws SingletonError if it broke off in the middle */
  end(): Message[];
}

/** What a decoder refuses. */
export interface DecodeLimits {
  /** A longer message is refused before more of it is kept. */
  readonly maxMessageBytes: number;
}

/** How a connection goes, from its first byte to its last. A protocol knows neither endpoints nor counts. */
export interface Protocol<T, R = unknown> {
  /**
   * Host: loads what reads launches, which a launch has no use for. Called when the endpoint was got.
   * @throws SingletonError `ERR_SINGLETON_INVALID_OPTION`, where it cannot be loaded; the endpoint is given back then
   */
  inbound(): Promise<ReadLaunch<T, R>>;
  /**
   * Client: encodes the launch, once, and returns what hands it over, once a connection.
   * @throws SingletonError when the launch cannot be encoded or is too large; nothing was sent then
   */
  outbound(launch: Launch<T>, terms: ProtocolOptions): Deliver<R> | Promise<Deliver<R>>;
}

/**
 * Reads one launch of a connection, and later tells `receiver` of it. Gives what can be said to the client; `undefined` on a
 * wire that has no answer, and there the host itself knows when the connection is closed too early.
 */
export type ReadLaunch<T, R = unknown> = (
  connection: Duplex,
  terms: ProtocolOptions,
  receiver: LaunchHandler<T, R>,
) => Responder | undefined;

/** What host and client agree on beforehand. */
export interface ProtocolOptions extends DecodeLimits {
  /** What both sides prove themselves with, as bytes. */
  readonly secret: Uint8Array | undefined;
  /** The application's name; '' is one too. */
  readonly name: string;
}

/** What a client hands over. */
export interface Launch<T> {
  /** Its arguments. */
  readonly args: T;
  /** Its working directory, where the codec carries it. */
  readonly cwd?: string | undefined;
  /** Its process id, where the codec carries it. */
  readonly pid?: number | undefined;
  /** Whether it stays after the receipt, for the host's last word. */
  readonly wait?: boolean | undefined;
}

/** Who is told what came over a connection, never within `Receive` itself. The first word counts; later ones are ignored. */
export interface LaunchHandler<T, R = unknown> {
  /** A launch is complete, or was not verified. */
  onLaunch(reception: LaunchResult<T, R>): void;
  /** What came is no launch, or the client broke off: a `SingletonError`. */
  onError(fault: unknown): void;
}

/** What a host received: a launch, complete and verified, or why it was not verified. */
export type LaunchResult<T, R = unknown> =
  VerifiedLaunch<T, R> | { readonly verified: false; readonly reason: VerifyFailureReason };

/** A launch that a host may count. */
export interface VerifiedLaunch<T, R = unknown> {
  /** The secret was proven, or none is set. */
  readonly verified: true;
  /** What the client handed over. */
  readonly launch: Launch<T>;
  /** What it took on the wire; bounds what waits until somebody listens. */
  readonly bytes: number;
  /** What host and launch say to each other, where the launch stays. */
  readonly session?: Session<R> | undefined;
}

/** What is said between the receipt and the last word. What a host says before the receipt is sent behind it. */
export interface Session<R> {
  /** Aborts when the launch is gone, or the host dismissed it: nobody waits any more. */
  readonly signal: AbortSignal;
  /** Arrives on the launch's own. */
  readonly stdout: Writable;
  /** Arrives on the launch's own. */
  readonly stderr: Writable;
  /** What comes into the launch; only asked for when it is read. */
  readonly stdin: Readable;
  /** Resolves when the last word is said, or nobody waits for it; rejects with a `SingletonError` when the launch broke the rules. */
  readonly finished: Promise<void>;
  /**
   * The last word, after all output: a value. `false` where it is said already, or nobody waits.
   * @throws SingletonError `ERR_SINGLETON_UNENCODABLE`, `ERR_SINGLETON_MESSAGE_TOO_LARGE`; it is not said then
   */
  reply(value: R): boolean;
  /** The last word, after all output: a status, 0 to 255. `false` where it is said already, or nobody waits. */
  exit(code: number): boolean;
  /** Tells who was given the launch, each time that this changes: who is still at work has not said all. */
  attended(by: Attended): void;
}

/** Who was given a launch. */
export interface Attended {
  /** How many were. */
  readonly called: number;
  /** How many of them have not settled. */
  readonly pending: number;
  /** Whether one has failed. */
  readonly hasFailed: boolean;
  /** Whether nobody else will be. */
  readonly allCalled: boolean;
  /** Whether it is handed over right now: some may not have been called. */
  readonly isCalling: boolean;
}

/**
 * What becomes of a launch, said once: later calls do nothing. The client closes the connection. To one that stays,
 * `dismiss` is the last word too.
 */
export interface Responder {
  /** Why the launch is not to be run: its client gave up, or broke the rules after it. `undefined` while it is there. */
  readonly error: SingletonError | undefined;
  /** The launch was dispatched. */
  accept(confirmation: ReceiptData): void;
  /** The launch will not be dispatched, now or later, and why. */
  reject(reason: RefusalCode): void;
  /** The launch was not taken: the client may hand it to the next host. One that stays gets no answer any more. */
  rejectRetryable(): void;
}

/** What a host tells a client whose launch it has dispatched. */
export interface ReceiptData {
  /** What became of the launch. */
  readonly outcome: ReceiptOutcome;
  /** The client's number. */
  readonly client: number;
  /** When the host took its endpoint: milliseconds since 1970. */
  readonly since: number;
}

/** The outcomes that a host knows of. */
export type ReceiptOutcome = Extract<Receipt['outcome'], 'delivered' | 'throttled' | 'released'>;

/** The errors that a host tells a client. */
export type RefusalCode = Extract<
  SingletonError['code'],
  | 'ERR_SINGLETON_INVALID_ARGS'
  | 'ERR_SINGLETON_MESSAGE_TOO_LARGE'
  | 'ERR_SINGLETON_MALFORMED_MESSAGE'
  | 'ERR_SINGLETON_BUSY'
  | 'ERR_SINGLETON_OBSERVER_FAILED'
  | 'ERR_SINGLETON_RELEASED'
>;

/**
 * What was wrong with the proof. `replayed-handshake`: the greeting was good, and what followed was not made for this
 * connection, so it was recorded earlier or changed on its way.
 */
export type VerifyFailureReason = 'wrong-secret' | 'missing-secret' | 'unexpected-secret' | 'replayed-handshake';

/** Resolves to `undefined` when the host went away before it could have taken the launch: try again. */
export type Deliver<R = unknown> = (connection: Duplex) => Promise<DeliveryResult<R> | undefined>;

/** A launch that the host has taken. */
export interface DeliveryResult<R = unknown> {
  /** What became of it. */
  readonly receipt: Receipt<R>;
  /**
   * Where the launch stays, and then to be called: passes output and input on until the host's last word, and closes the
   * connection. When the signal aborts it rejects.
   */
  readonly waitForResult?: (streams: Stdio, signal: AbortSignal) => Promise<Receipt<R>>;
}

/** What a launch that stays is connected with; each is asked for when it is needed. */
export interface Stdio {
  /** Gets the host's output; is not ended. */
  readonly stdout: Writable;
  /** Gets the host's output; is not ended. */
  readonly stderr: Writable;
  /** Is read when the host asks for it. */
  readonly stdin: Readable;
}
