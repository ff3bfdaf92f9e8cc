import { Packr } from 'msgpackr/pack';
import type { Codec } from './codec.ts';
import { lengthPrefixed } from './length-prefixed.ts';
import { encode } from './msgpack-encoder.ts';
import { scan } from './msgpack-scan.ts';

/**
 * Arguments and replies as MessagePack, by the package `msgpackr`, which is to be installed beside this one: what JSON has,
 * and `Uint8Array`, `bigint`, `NaN` and the infinities. What arrives is what was sent (-0 as 0), or it fails. `T`, of
 * arguments, and `R`, of replies, are the caller's word; a `schema` makes sure of `T`.
 */
export function msgpack<T = unknown, R = unknown>(): Codec<T, R> {
  return lengthPrefixed<T, R>({ name: 'msgpack', ...serializer, reply: serializer });
}

const serializer = { serialize: encode, deserialize };

/** A constant of its own, because the types do not know `skipValues`. */
const options = { useRecords: false, mapsAsObjects: true, copyBuffers: true, skipValues: [undefined] };
const packr = new Packr(options);

/** `any`, as from `unpack`. The scan goes first: alone, `unpack` can be made to take seconds, or to build a function. */
function deserialize(bytes: Uint8Array): any {
  scan(bytes);
  return packr.unpack(bytes);
}
