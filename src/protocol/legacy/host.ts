import type { Duplex } from 'node:stream';
import type { LaunchHandler, LaunchResult, ProtocolOptions } from '../../interface/codec.ts';
import { LegacyDecoder } from './decoder.ts';

/** The host's side of the legacy protocol: reads to the end and sends nothing. */
export function readLaunch(
  connection: Duplex,
  options: ProtocolOptions,
  handler: LaunchHandler<readonly string[], never>,
): undefined {
  let decoder: LegacyDecoder | undefined;
  let bytes = 0;
  connection.on('data', (chunk: Uint8Array) => {
    bytes += chunk.length;
    try {
      decoder ??= new LegacyDecoder(options);
      decoder.push(chunk);
    } catch (error) {
      connection.pause();
      handler.onError(error);
    }
  });
  connection.on('end', () => {
    try {
      const [fields] = (decoder ?? new LegacyDecoder(options)).end();
      handler.onLaunch(verify(fields, bytes, options));
    } catch (error) {
      handler.onError(error);
    }
  });
}

function verify(
  fields: readonly string[],
  bytes: number,
  { secret }: ProtocolOptions,
): LaunchResult<readonly string[], never> {
  if (secret === undefined) return { verified: true, launch: { args: fields }, bytes };
  const [proof, ...args] = fields;
  if (proof === undefined) return { verified: false, reason: 'missing-secret' };
  if (!isSame(Buffer.from(proof), secret)) return { verified: false, reason: 'wrong-secret' };
  return { verified: true, launch: { args: Object.freeze(args) }, bytes };
}

/** Compares digests, which have the same length, in constant time. The first call loads `node:crypto`. */
function isSame(proof: Uint8Array, secret: Uint8Array): boolean {
  const { createHash, timingSafeEqual } = process.getBuiltinModule('node:crypto');
  const digest = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();
  return timingSafeEqual(digest(proof), digest(secret));
}
