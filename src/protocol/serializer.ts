import { tryBytes } from '../interface/bytes.ts';
import type { Format } from '../interface/codec.ts';
import { messageTooLargeError, SingletonError, malformedError } from '../interface/errors.ts';
import { type Frame } from './messages.ts';

/** How arguments, replies and frames become bytes. */
export interface WireFormat<T, R> {
  readonly name: string;
  readonly args: Serializer<T>;
  readonly reply: Serializer<R>;
  readonly frames: Format<Frame>;
}

/** Converts values to bytes and back. */
export interface Serializer<T> {
  /** If it throws, the launch or the reply fails with `ERR_SINGLETON_UNENCODABLE` and nothing is sent. */
  serialize(value: T): Uint8Array;
  /**
   * Returns the value that `args` listeners receive. The bytes are from any program that can connect. If it throws,
   * the launch is rejected and the host emits a warning with `ERR_SINGLETON_MALFORMED_MESSAGE`.
   */
  deserialize(bytes: Uint8Array): T;
  /**
   * Loads what only `deserialize` needs, so that a launch that delivers and exits does not load it. Awaited before the
   * first `deserialize` of a host, and of each launch that waits. If it rejects, the host releases its endpoint.
   */
  load?(): Promise<unknown>;
}

/** @throws SingletonError `ERR_SINGLETON_UNENCODABLE`, or a SingletonError of the serializer */
export function serialize<T>(name: string, serializer: Serializer<T>, value: T): Uint8Array {
  try {
    const result: unknown = serializer.serialize(value);
    const bytes = tryBytes(result);
    if (bytes) return bytes;
    // If it is a promise, its rejection must not be unhandled.
    Promise.resolve(result).catch(() => {});
    throw new TypeError(`Expected serialize() to return a Uint8Array, got a value of type ${typeof result}.`);
  } catch (cause) {
    if (cause instanceof SingletonError) throw cause;
    const message = `The codec "${name}" could not serialize this value. Change it; the cause says why.`;
    throw new SingletonError('ERR_SINGLETON_UNENCODABLE', message, { cause });
  }
}

/** @throws SingletonError `ERR_SINGLETON_INVALID_OPTION`, or a SingletonError of the serializer */
export async function load(name: string, serializer: Serializer<unknown>): Promise<void> {
  try {
    await serializer.load?.();
  } catch (cause) {
    if (cause instanceof SingletonError) throw cause;
    const message = `Option "codec": load() of "${name}" failed; the cause says why. Install what the codec needs.`;
    throw new SingletonError('ERR_SINGLETON_INVALID_OPTION', message, { cause });
  }
}

/** @throws SingletonError `ERR_SINGLETON_MALFORMED_MESSAGE`, whatever the serializer throws */
export function deserialize<T>(name: string, serializer: Serializer<T>, bytes: Uint8Array): T {
  try {
    return serializer.deserialize(bytes);
  } catch (error) {
    if (error instanceof SingletonError && error.code === 'ERR_SINGLETON_MALFORMED_MESSAGE') throw error;
    // Without the cause, which may quote the peer.
    throw malformedError(`a value that the codec "${name}" can decode, got ${bytes.length} bytes that it cannot`);
  }
}

/** @throws SingletonError `ERR_SINGLETON_MESSAGE_TOO_LARGE` */
export function requireSize({ body }: Frame, maxMessageBytes: number): void {
  const length = 1 + body.length;
  if (length > maxMessageBytes) throw messageTooLargeError(maxMessageBytes, length);
}
