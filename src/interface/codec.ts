import type { SingletonError } from './errors.ts';
import type { Protocol } from './protocol.ts';

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
  /** Whether a launch of this program has this codec: it is the first one. The next four are about such a launch. */
  readonly isFirst: boolean;
  /** The arguments of this launch. */
  readonly args: unknown;
  /** Whether this launch waits for a result. */
  readonly wait: boolean;
  /** Whether this launch may ask to replace the host. */
  readonly replace: boolean;
  /** Whether this launch sends environment variables. */
  readonly hasEnv: boolean;
  /** Whether a host of this program lets a launch replace it, and has no other codec by which one could ask. */
  readonly allowReplace: boolean;
  /** Whether other machines can connect to the endpoint. */
  readonly reach: 'machine' | 'network';
  /** The secret as bytes, if one is set. */
  readonly secret: Uint8Array | undefined;
  /** The name of the application, '' by default. */
  readonly name: string;
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
