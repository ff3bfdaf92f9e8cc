import type { Duplex } from 'node:stream';
import type { LaunchHandler, LaunchResult, ProtocolOptions } from '../../interface/protocol.ts';
import { SingletonError } from '../../interface/errors.ts';
import { LegacyDecoder } from './decoder.ts';
import { isStructured, OTHER_CODEC } from './structured.ts';

/** The host's side of the legacy protocol: reads to the end and sends nothing, except to a client of the structured one. */
export function readLaunch(
  connection: Duplex,
  options: ProtocolOptions,
  handler: LaunchHandler<readonly string[], never>,
): undefined {
  let decoder: LegacyDecoder | undefined;
  let bytes = 0;
  const onData = (chunk: Uint8Array): void => {
    if (bytes === 0 && isStructured(chunk)) {
      connection.off('data', onData).off('end', onEnd);
      return rejectStructured(connection, handler);
    }
    bytes += chunk.length;
    try {
      decoder ??= new LegacyDecoder(options);
      decoder.push(chunk);
    } catch (error) {
      connection.pause();
      handler.onError(error);
    }
  };
  const onEnd = (): void => {
    // The client wanted to know whether a host is here.
    if (bytes === 0) return handler.onError(undefined);
    try {
      const [fields] = (decoder ?? new LegacyDecoder(options)).end();
      handler.onLaunch(verify(fields, bytes, options));
    } catch (error) {
      handler.onError(error);
    }
  };
  // A connection that was accepted paused does not start by itself.
  connection.on('data', onData).on('end', onEnd).resume();
}

/** Answers the client, so that it fails with the cause and does not try again. Reports it when the client has disconnected. */
function rejectStructured(connection: Duplex, handler: LaunchHandler<readonly string[], never>): void {
  const report = (): void =>
    handler.onError(
      new SingletonError(
        'ERR_SINGLETON_UNSUPPORTED_VERSION',
        'Rejected a launch with a structured codec, such as json(): this host uses legacy(). Use the same codec on both sides.',
      ),
    );
  connection.once('end', report).once('error', report).resume();
  connection.write(OTHER_CODEC);
}

function verify(
  fields: readonly string[],
  bytes: number,
  { secret }: ProtocolOptions,
): LaunchResult<readonly string[], never> {
  if (secret === undefined) return { verified: true, codec: 'legacy', launch: { args: fields }, bytes };
  const [proof, ...args] = fields;
  if (proof === undefined) return { verified: false, reason: 'missing-secret' };
  if (!isSame(Buffer.from(proof), secret)) return { verified: false, reason: 'wrong-secret' };
  return { verified: true, codec: 'legacy', launch: { args: Object.freeze(args) }, bytes };
}

/** Compares digests, which have the same length, in constant time. The first call loads `node:crypto`. */
function isSame(proof: Uint8Array, secret: Uint8Array): boolean {
  const { createHash, timingSafeEqual } = process.getBuiltinModule('node:crypto');
  const digest = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();
  return timingSafeEqual(digest(proof), digest(secret));
}
