import type { Unpackr } from 'msgpackr/pack';
import { scan } from './msgpack-scan.ts';

/** Makes values of MessagePack that anybody may have sent. `any`, as from `unpack`. */
export function decoderOf(unpackr: Unpackr): (bytes: Uint8Array) => any {
  return (bytes) => {
    // First: alone, `unpack` can be made to take seconds, or to build a function.
    scan(bytes);
    return unpackr.unpack(bytes);
  };
}
