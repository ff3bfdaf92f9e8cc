import type { Duplex } from 'node:stream';
import type { SingletonError } from '../core/errors.ts';
import type { Receipt } from '../core/receipt.ts';

/** How values become bytes, and how a connection that carries them goes. `T` is what a launch hands over. */
export interface Codec<T> {
  /** Shows in string forms; a conversation compares it, so that both sides use one codec. */
  readonly name: string;
  /** How a connection in this codec goes. */
  readonly protocol: Protocol<T>;
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
  /** The messages that this chunk completes. @throws SingletonError */
  push(chunk: Uint8Array): Message[];
  /** The stream is over: the messages that this completes. @throws SingletonError if it broke off in the middle */
  end(): Message[];
}

/** What a decoder refuses. */
export interface DecodeLimits {
  /** A longer message is refused before more of it is kept. */
  readonly maxMessageBytes: number;
}

/** How a connection goes, from its first byte to its last. A protocol knows neither places nor counts. */
export interface Protocol<T> {
  /** Host: reads one launch. */
  receive(connection: Duplex, terms: Terms): Exchange<T>;
  /**
   * Client: encodes the launch, once, and returns what hands it over, once a connection.
   * @throws SingletonError when the launch cannot be encoded or is too large; nothing was sent then
   */
  prepare(launch: Launch<T>, terms: Terms): HandOff | Promise<HandOff>;
}

/** What host and client agree on beforehand. */
export interface Terms extends DecodeLimits {
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
}

/** The host's side of one connection. */
export interface Exchange<T> {
  /** Rejects with a `SingletonError` when what came is no launch, or the client broke off. */
  readonly reception: Promise<Reception<T>>;
  /** What can be said to the client; `undefined` on a wire that has no answer. */
  readonly answer?: Answer | undefined;
}

/** What a host received: a launch, complete and verified, or why it was not verified. */
export type Reception<T> = Verified<T> | { readonly verified: false; readonly reason: VerifyFailureReason };

/** A launch that a host may count. */
export interface Verified<T> {
  /** The secret was proven, or none is set. */
  readonly verified: true;
  /** What the client handed over. */
  readonly launch: Launch<T>;
  /** What it took on the wire; bounds what waits until somebody listens. */
  readonly bytes: number;
}

/** The end of a conversation, said once: later calls do nothing. The client closes the connection. */
export interface Answer {
  /** Whether the client is still there to hear it. A launch whose client gave up is not run. */
  readonly isAwaited: boolean;
  /** The launch was dispatched. */
  confirm(confirmation: Confirmation): void;
  /** The launch will not be dispatched, now or later, and why. */
  refuse(reason: RefusalCode): void;
  /** The launch was not taken: the client may hand it to the next host. */
  dismiss(): void;
}

/** What a host tells a client whose launch it has dispatched. */
export interface Confirmation {
  /** What became of the launch. */
  readonly outcome: ConfirmedOutcome;
  /** The client's number. */
  readonly client: number;
  /** When the host took its place: milliseconds since 1970. */
  readonly since: number;
}

/** The outcomes that a host knows of. */
export type ConfirmedOutcome = Extract<Receipt['outcome'], 'delivered' | 'throttled' | 'released'>;

/** The errors that a host tells a client. */
export type RefusalCode = Extract<
  SingletonError['code'],
  | 'ERR_SINGLETON_INVALID_ARGS'
  | 'ERR_SINGLETON_MESSAGE_TOO_LARGE'
  | 'ERR_SINGLETON_MALFORMED_MESSAGE'
  | 'ERR_SINGLETON_BUSY'
>;

/**
 * What was wrong with the proof. `replayed-handshake`: the greeting was good, and what followed was not made for this
 * connection, so it was recorded earlier or changed on its way.
 */
export type VerifyFailureReason = 'wrong-secret' | 'missing-secret' | 'unexpected-secret' | 'replayed-handshake';

/** Resolves to `undefined` when the host went away before it could have taken the launch: try again. */
export type HandOff = (connection: Duplex) => Promise<Receipt | undefined>;
