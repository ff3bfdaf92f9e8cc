import type { Format } from '../interface/codec.ts';
import { SingletonError } from '../interface/errors.ts';
import { type Frame, malformedError } from './messages.ts';

/** What carries a conversation: how arguments and replies become bytes, and how frames do. */
export interface WireFormat<T, R> {
  readonly name: string;
  readonly args: Serializer<T>;
  readonly reply: Serializer<R>;
  readonly frames: Format<Frame>;
}

/** What makes bytes of a value, and a value of bytes. */
export interface Serializer<T> {
  /** May throw: the launch, or the reply, then fails with `ERR_SINGLETON_UNENCODABLE`, and nothing is sent. */
  serialize(value: T): Uint8Array;
  /**
   * Gets what a client sent, whoever it is, and gives what `args` listeners get. May throw: the launch is then refused,
   * and the host warns of it with `ERR_SINGLETON_MALFORMED_MESSAGE`.
   */
  deserialize(bytes: Uint8Array): T;
  /**
   * Loads what only `deserialize` needs, so that a launch that hands over and exits need not. Awaited before the first
   * `deserialize` of a host, and of each launch that waits. A host that it fails gives its endpoint back.
   */
  load?(): Promise<unknown>;
}

/** @throws SingletonError `ERR_SINGLETON_UNENCODABLE`, or what the serializer threw if it is one */
export function serialize<T>(name: string, serializer: Serializer<T>, value: T): Uint8Array {
  try {
    const bytes: unknown = serializer.serialize(value);
    if (bytes instanceof Uint8Array) return bytes;
    // Nobody waits for it.
    if (bytes instanceof Promise) bytes.catch(() => {});
    throw new TypeError(`Expected a Uint8Array from the serializer, got a value of type ${typeof bytes}.`);
  } catch (cause) {
    if (cause instanceof SingletonError) throw cause;
    const message = `The codec "${name}" cannot carry this value. Change it.`;
    throw new SingletonError('ERR_SINGLETON_UNENCODABLE', message, { cause });
  }
}

/** @throws SingletonError `ERR_SINGLETON_INVALID_OPTION`, or what the serializer threw if it is one */
export async function load(name: string, serializer: Serializer<unknown>): Promise<void> {
  try {
    await serializer.load?.();
  } catch (cause) {
    if (cause instanceof SingletonError) throw cause;
    const message = `Option "codec": expected a codec that can decode; what "${name}" needs for it could not be loaded.`;
    throw new SingletonError('ERR_SINGLETON_INVALID_OPTION', message, { cause });
  }
}

/** @throws SingletonError `ERR_SINGLETON_MALFORMED_MESSAGE`, or what the serializer threw if it is one */
export function deserialize<T>(name: string, serializer: Serializer<T>, bytes: Uint8Array): T {
  try {
    return serializer.deserialize(bytes);
  } catch (error) {
    if (error instanceof SingletonError) throw error;
    // What it says may quote the peer.
    throw malformedError(`a value that the codec "${name}" can decode; ${bytes.length} bytes came that it cannot`);
  }
}

/** @throws SingletonError `ERR_SINGLETON_MESSAGE_TOO_LARGE` */
export function requireSize({ body }: Frame, maxMessageBytes: number): void {
  const length = 1 + body.length;
  if (length <= maxMessageBytes) return;
  throw new SingletonError(
    'ERR_SINGLETON_MESSAGE_TOO_LARGE',
    `Expected a message of at most ${maxMessageBytes} bytes (maxMessageBytes), got ${length}. ` +
      'Hand over a path to the data, or raise the limit on both sides.',
  );
}
