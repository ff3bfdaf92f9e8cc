import type { Format } from '../../src/interface/codec.ts';
import { LegacyDecoder } from '../../src/protocol/legacy/decoder.ts';
import { encode } from '../../src/protocol/legacy/message.ts';

/** Both sides of the legacy wire. */
export const legacyFormat: Format<readonly string[]> = {
  encode,
  createDecoder: (limits) => new LegacyDecoder(limits),
};
