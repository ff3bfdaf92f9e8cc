import type { Duplex } from 'node:stream';
import type { LaunchHandler, LaunchResult, ProtocolOptions } from '../../interface/codec.ts';
import { LegacyDecoder } from './decoder.ts';

/** The host's side of the legacy conversation: it reads to the end, and says nothing. */
export function readLaunch(
  connection: Duplex,
  terms: ProtocolOptions,
  receiver: LaunchHandler<readonly string[], never>,
): undefined {
  let decoder: LegacyDecoder | undefined;
  let bytes = 0;
  connection.on('data', (chunk: Uint8Array) => {
    bytes += chunk.length;
    try {
      decoder ??= new LegacyDecoder(terms);
      decoder.push(chunk);
    } catch (error) {
      connection.pause();
      receiver.onError(error);
    }
  });
  connection.on('end', () => {
    try {
      const [parts] = (decoder ?? new LegacyDecoder(terms)).end();
      receiver.onLaunch(verify(parts, bytes, terms));
    } catch (error) {
      receiver.onError(error);
    }
  });
}

function verify(
  parts: readonly string[],
  bytes: number,
  { secret }: ProtocolOptions,
): LaunchResult<readonly string[], never> {
  if (secret === undefined) return { verified: true, launch: { args: parts }, bytes };
  const [proof, ...args] = parts;
  if (proof === undefined) return { verified: false, reason: 'missing-secret' };
  if (!isSame(Buffer.from(proof), secret)) return { verified: false, reason: 'wrong-secret' };
  return { verified: true, launch: { args: Object.freeze(args) }, bytes };
}

/** Compares digests, which are of one length, in constant time. `node:crypto` is loaded by the first call only. */
function isSame(proof: Uint8Array, secret: Uint8Array): boolean {
  const { createHash, timingSafeEqual } = process.getBuiltinModule('node:crypto');
  const digest = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();
  return timingSafeEqual(digest(proof), digest(secret));
}
