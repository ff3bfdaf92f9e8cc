import type { Codec } from '../interface/codec.ts';
import { SingletonError, moduleNotLoadedError } from '../interface/errors.ts';
import { lengthPrefixed, type Serializer } from './length-prefixed.ts';
import { encode } from './msgpack-encode.ts';

/**
 * Arguments and replies as MessagePack: what JSON has, and `Uint8Array`, `bigint`, `NaN` and the infinities. Whoever decodes
 * needs the package `msgpackr` beside this one: hosts, and launches that get a reply. What arrives is what was sent (-0 as 0),
 * or it fails. `T`, of arguments, and `R`, of replies, are the caller's word; a `schema` makes sure of `T`.
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
      // Not above: it is as long as all that a launch loads besides, and one that only sends has no use for it.
      const [{ Unpackr }, { decoderOf }] = await Promise.all([
        import('msgpackr/pack').catch(notInstalledError),
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
    'Option "codec": msgpack() decodes by the package msgpackr, which could not be loaded. Install it beside this one.',
    { cause },
  );
}
