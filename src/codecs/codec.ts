import type { Duplex } from 'node:stream';
import type { Receipt } from '../core/receipt.ts';

/** How values become bytes, and how a connection that carries them goes. `T` is what a launch hands over. */
export interface Codec<T> {
  readonly name: string;
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
  createDecoder(limits: DecodeLimits): Decoder<Message>;
}

/**
 * Is fed chunks of any size and gives whole messages. It throws only `SingletonError`, and after the first one it throws
 * that one for ever.
 */
export interface Decoder<Message> {
  push(chunk: Uint8Array): Message[];
  /** The stream is over: what it completed, or an error if it broke off in the middle. */
  end(): Message[];
}

export interface DecodeLimits {
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
  readonly secret: Uint8Array | undefined;
}

/** What a client hands over. */
export interface Launch<T> {
  readonly args: T;
  readonly cwd?: string | undefined;
  readonly pid?: number | undefined;
}

/** A launch that was complete and verified, or why it was not verified. */
export type Reception<T> =
  | { readonly verified: true; readonly launch: Launch<T> }
  | { readonly verified: false; readonly reason: VerifyFailureReason };

export type VerifyFailureReason = 'wrong-secret' | 'missing-secret';

/** Resolves to `undefined` when the host went away before it could have taken the launch: try again. */
export type HandOff = (connection: Duplex) => Promise<Receipt | undefined>;
