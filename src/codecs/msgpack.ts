import type { Codec } from '../interface/codec.ts';
import { SingletonError, moduleNotLoadedError } from '../interface/errors.ts';
import { lengthPrefixed, type Serializer } from './length-prefixed.ts';
import { encode } from './msgpack-encode.ts';

/**
 * Arguments and replies as MessagePack: the values of JSON, and `Uint8Array`, `bigint`, `NaN` and the infinities.
 * Decoding needs the package `msgpackr`: install it for hosts and for launches that wait. A value arrives as it was
 * sent, or is rejected (-0 arrives as 0). The types `T` of the arguments and `R` of replies are not checked; use a
 * `schema` to check `T`.
 */
export function msgpack<T = unknown, R = unknown>(): Codec<T, R> {
  const serializer = createSerializer();
  return lengthPrefixed<T, R>({ name: 'msgpack', ...serializer, reply: serializer });
}

/** `any`, as from `unpack`. */
function createSerializer(): Serializer<any> {
  let decode: ((bytes: Uint8Array) => any) | undefined;
  return {
    serialize: encode,
    async load() {
      // Loaded here, because it is as large as all other modules of a launch, and one that only sends does not need it.
      const [{ Unpackr }, { decoderOf }] = await Promise.all([
        import('msgpackr/unpack').catch(notInstalledError),
        import('./msgpack-decode.ts').catch(moduleNotLoadedError),
      ]);
      decode ??= decoderOf(new Unpackr({ useRecords: false, mapsAsObjects: true, copyBuffers: true }));
    },
    deserialize(bytes) {
      if (!decode) throw new Error('Expected load() to be awaited before deserialize().');
      return decode(bytes);
    },
  };
}

function notInstalledError(cause: unknown): never {
  throw new SingletonError(
    'ERR_SINGLETON_INVALID_OPTION',
    'Option "codec": msgpack() could not load the package msgpackr, which it needs to decode. Install it.',
    { cause },
  );
}
