import { isUint8Array } from 'node:util/types';
import { Packr } from 'msgpackr/pack';
import type { Codec } from './codec.ts';
import { lengthPrefixed } from './length-prefixed.ts';
import { scan } from './msgpack-scan.ts';
import { requirePlain } from './plain.ts';

/**
 * Arguments and replies as MessagePack, by the package `msgpackr`, which is to be installed beside this one: what JSON has,
 * and `Uint8Array`, `bigint`, `NaN` and the infinities. What arrives is what was sent (-0 as 0), or it fails. `T`, of
 * arguments, and `R`, of replies, are the caller's word; a `schema` makes sure of `T`.
 */
export function msgpack<T = unknown, R = unknown>(): Codec<T, R> {
  return lengthPrefixed<T, R>({ name: 'msgpack', ...serializer, reply: serializer });
}

const serializer = { serialize, deserialize };

/** A constant of its own, because the types do not know `skipValues`. */
const options = { useRecords: false, mapsAsObjects: true, copyBuffers: true, skipValues: [undefined] };
const packr = new Packr(options);

function serialize(value: unknown): Uint8Array {
  requirePlain(value, 'MessagePack', isLeaf);
  return packr.pack(value);
}

const MIN_INT64 = -(2n ** 63n);
const MAX_UINT64 = 2n ** 64n - 1n;

function isLeaf(value: unknown): boolean {
  switch (typeof value) {
    case 'string':
      return value.isWellFormed();
    case 'number':
    case 'boolean':
      return true;
    case 'bigint':
      return value >= MIN_INT64 && value <= MAX_UINT64;
    default:
      return value === null || isUint8Array(value);
  }
}

/** `any`, as from `unpack`. The scan goes first: alone, `unpack` can be made to take seconds, or to build a function. */
function deserialize(bytes: Uint8Array): any {
  scan(bytes);
  return packr.unpack(bytes);
}
