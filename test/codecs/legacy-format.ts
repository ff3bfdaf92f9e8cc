import type { Format } from '../../src/codecs/codec.ts';
import { LegacyDecoder } from '../../src/codecs/legacy-decoder.ts';
import { encode } from '../../src/codecs/legacy.ts';

/** Both sides of the legacy wire. */
export const legacyFormat: Format<readonly string[]> = {
  encode,
  createDecoder: (limits) => new LegacyDecoder(limits),
};
