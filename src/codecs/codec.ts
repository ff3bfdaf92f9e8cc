import type { Duplex } from 'node:stream';
import type { Receipt } from '../core/receipt.ts';

/** How values become bytes, and how a connection that carries them goes. `T` is what a launch hands over. */
export interface Codec<T> {
  /** For people: it shows in string forms. */
  readonly name: string;
  /** How a connection in this codec goes. */
  readonly protocol: Protocol<T>;
  /**
   * Looks at what this codec is to carry, when the options are read.
   * @throws SingletonError `ERR_SINGLETON_INVALID_OPTION`
   */
  check?(options: { readonly args: unknown; readonly secret: Uint8Array | undefined }): void;
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
  /** Host: reads one launch. Rejects with a `SingletonError` when what came is not one. */
  receive(connection: Duplex, terms: Terms): Promise<Reception<T>>;
  /**
   * Client: encodes the launch, once, and returns what hands it over, once a connection.
   * @throws SingletonError when the launch cannot be encoded or is too large; nothing was sent then
   */
  prepare(launch: Launch<T>, terms: Terms): HandOff;
}

/** What host and client agree on beforehand. */
export interface Terms extends DecodeLimits {
  /** What a client proves itself with, as bytes. */
  readonly secret: Uint8Array | undefined;
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

/** What was wrong with the proof. */
export type VerifyFailureReason = 'wrong-secret' | 'missing-secret';

/** Resolves to `undefined` when the host went away before it could have taken the launch: try again. */
export type HandOff = (connection: Duplex) => Promise<Receipt | undefined>;
