import type { Codec } from '../interface/codec.ts';
import { invalidOptionError, SingletonError } from '../interface/errors.ts';
import { frames } from '../protocol/frames.ts';
import { MAX_NAME_BYTES } from '../protocol/hello.ts';
import { structuredProtocol } from '../protocol/protocol.ts';
import type { Serializer } from '../protocol/serializer.ts';

export type { Serializer };

/** How arguments and replies are made bytes. */
export interface LengthPrefixedOptions<T, R> extends Serializer<T> {
  /** The format's name, 1 to 255 bytes of UTF-8. Hosts and launches of another name are refused. */
  readonly name: string;
  /** The same for what a host replies; without it, a host cannot `reply`. */
  readonly reply?: Serializer<R> | undefined;
}

/** A shorter one can be guessed off line by a program that has got hold of a handshake. */
const MIN_SECRET_BYTES = 16;

/**
 * A codec of any serializer. Its launches are confirmed by a receipt, and a secret is proven by both sides without being
 * sent; then all that they say is encrypted.
 * @throws SingletonError `ERR_SINGLETON_INVALID_OPTION`
 */
export function lengthPrefixed<T, R = never>(options: LengthPrefixedOptions<T, R>): Codec<T, R> {
  const { name, reply = NO_REPLY } = options;
  if (typeof name !== 'string' || name === '' || !fits(name)) {
    throw invalidOptionError('name', `the serializer's name, of 1 to ${MAX_NAME_BYTES} bytes`, name);
  }
  return {
    name,
    protocol: structuredProtocol({ name, frames, args: options, reply }),
    check({ secret, name: application }) {
      if (!fits(application)) throw invalidOptionError('name', `at most ${MAX_NAME_BYTES} bytes`, application);
      if (!secret || secret.length >= MIN_SECRET_BYTES) return undefined;
      return new SingletonError(
        'ERR_SINGLETON_INVALID_OPTION',
        `Option "secret": expected ${MIN_SECRET_BYTES} bytes or more, got ${secret.length}; a short one can be guessed. ` +
          'generateSecret() makes one.',
      );
    },
  };
}

const NO_REPLY: Serializer<never> = { serialize: refuseReply, deserialize: refuseReply };

function refuseReply(): never {
  throw new Error('lengthPrefixed() was given no serializer for replies (reply)');
}

function fits(name: string): boolean {
  return name.isWellFormed() && Buffer.byteLength(name) <= MAX_NAME_BYTES;
}
