import type { Codec } from '../interface/codec.ts';
import { invalidOptionError, SingletonError } from '../interface/errors.ts';
import { checkOptionNames, type OptionNames } from '../interface/option-names.ts';
import { frames } from '../protocol/frames.ts';
import { MAX_NAME_BYTES } from '../protocol/hello.ts';
import { structuredProtocol } from '../protocol/protocol.ts';
import type { Serializer } from '../protocol/serializer.ts';

export type { Serializer };

/** How arguments and replies become bytes. */
export interface LengthPrefixedOptions<T, R> extends Serializer<T> {
  /** The name of the format, 1 to 255 bytes of UTF-8. A host rejects launches with another name. */
  readonly name: string;
  /** The serializer of replies. Without it, a host cannot `reply`. */
  readonly reply?: Serializer<R> | undefined;
}

/** A program that recorded a handshake can guess a shorter secret offline. */
const MIN_SECRET_BYTES = 16;

/**
 * A codec with any serializer. A receipt confirms each launch. With a secret, both sides prove that they know it
 * without sending it, and the rest of the connection is encrypted.
 * @throws SingletonError `ERR_SINGLETON_INVALID_OPTION`
 */
export function lengthPrefixed<T, R = never>(options: LengthPrefixedOptions<T, R>): Codec<T, R> {
  checkOptionNames(options, OPTION_NAMES);
  const { name, reply = NO_REPLY } = options;
  if (typeof name !== 'string' || name === '' || !fits(name)) {
    throw invalidOptionError('name', `a name for the serializer, of 1 to ${MAX_NAME_BYTES} bytes`, name);
  }
  return {
    name,
    protocol: structuredProtocol({ name, frames, args: options, reply }),
    check({ secret, name: application }) {
      if (!fits(application)) throw invalidOptionError('name', `at most ${MAX_NAME_BYTES} bytes`, application);
      if (!secret || secret.length >= MIN_SECRET_BYTES) return undefined;
      return new SingletonError(
        'ERR_SINGLETON_INVALID_OPTION',
        `Option "secret": expected ${MIN_SECRET_BYTES} bytes or more, got ${secret.length}; it could be guessed. ` +
          'Use generateSecret().',
      );
    },
  };
}

const OPTION_NAMES: OptionNames<LengthPrefixedOptions<unknown, unknown>> = {
  name: true,
  serialize: true,
  deserialize: true,
  load: true,
  reply: true,
};

const NO_REPLY: Serializer<never> = { serialize: refuseReply, deserialize: refuseReply };

function refuseReply(): never {
  throw new Error('Expected lengthPrefixed() to have a serializer for replies. Pass one as "reply".');
}

function fits(name: string): boolean {
  return name.isWellFormed() && Buffer.byteLength(name) <= MAX_NAME_BYTES;
}
