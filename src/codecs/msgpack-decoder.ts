import { Unpackr } from 'msgpackr/pack';
import { scan } from './msgpack-scan.ts';

/** What makes values of MessagePack that anybody may have sent. `any`, as from `unpack`. */
export function createDecode(): (bytes: Uint8Array) => any {
  const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, copyBuffers: true });
  return (bytes) => {
    // First: alone, `unpack` can be made to take seconds, or to build a function.
    scan(bytes);
    return unpackr.unpack(bytes);
  };
}
