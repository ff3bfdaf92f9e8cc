import { SingletonError } from '../core/errors.ts';
import { invalidOption } from '../core/invalid-option.ts';
import { conversation } from '../protocol/conversation.ts';
import { MAX_NAME_BYTES } from '../protocol/preface.ts';
import type { Codec } from './codec.ts';
import { frames } from './frames.ts';

/** What makes bytes of a value, and a value of bytes. */
export interface Serializer<T> {
  /** The format's name, 1 to 255 bytes of UTF-8. Hosts and launches of another name are refused. */
  readonly name: string;
  /** May throw: the launch then fails with `ERR_SINGLETON_UNENCODABLE`, and nothing is sent. */
  serialize(value: T): Uint8Array;
  /**
   * Gets what a client sent, whoever it is, and gives what `args` listeners get. May throw: the launch is then refused,
   * and the host warns of it with `ERR_SINGLETON_MALFORMED_MESSAGE`.
   */
  deserialize(bytes: Uint8Array): T;
}

/** A shorter one can be guessed off line by a program that has got hold of a handshake. */
const MIN_SECRET_BYTES = 16;

/**
 * A codec of any serializer. Its launches are confirmed by a receipt, and a secret is proven by both sides without being
 * sent; then all that they say is encrypted.
 * @throws SingletonError `ERR_SINGLETON_INVALID_OPTION`
 */
export function lengthPrefixed<T>(serializer: Serializer<T>): Codec<T> {
  const { name } = serializer;
  if (typeof name !== 'string' || name === '' || !fits(name)) {
    throw invalidOption('name', `the serializer's name, of 1 to ${MAX_NAME_BYTES} bytes`, name);
  }
  return {
    name,
    protocol: conversation({
      name,
      frames,
      serialize: (args) => serializer.serialize(args),
      deserialize: (bytes) => serializer.deserialize(bytes),
    }),
    check({ secret, name: application }) {
      if (!fits(application)) throw invalidOption('name', `at most ${MAX_NAME_BYTES} bytes`, application);
      if (!secret || secret.length >= MIN_SECRET_BYTES) return undefined;
      return new SingletonError(
        'ERR_SINGLETON_INVALID_OPTION',
        `Option "secret": expected ${MIN_SECRET_BYTES} bytes or more, got ${secret.length}; a short one can be guessed. ` +
          'generateSecret() makes one.',
      );
    },
  };
}

function fits(name: string): boolean {
  return name.isWellFormed() && Buffer.byteLength(name) <= MAX_NAME_BYTES;
}
