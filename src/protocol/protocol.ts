import type { Protocol } from '../interface/codec.ts';
import { moduleNotLoadedError } from '../interface/errors.ts';
import { outbound } from './client.ts';
import { type WireFormat, load } from './serializer.ts';

/**
 * The protocol of the structured codecs. The client sends first:
 *
 *     client → host    client hello, and with a secret the first handshake message
 *     host → client    host hello, and with a secret the second handshake message; all that follows is then encrypted
 *     client → host    launch
 *     host → client    receipt or refusal
 *
 * If the launch waits, a session follows the receipt:
 *
 *     host → client    stdout, stderr, window update   any number
 *     client → host    stdin                           as many bytes as the window allows
 *     host → client    reply, exit or refusal          the result, once
 *
 * A client that closes before the receipt withdraws its launch. One that closes before the result has disconnected.
 * The client ends the connection first.
 */
export function structuredProtocol<T, R>(wireFormat: WireFormat<T, R>): Protocol<T, R> {
  return {
    async inbound() {
      const [{ readLaunch }] = await Promise.all([
        import('./host.ts').catch(moduleNotLoadedError),
        load(wireFormat.name, wireFormat.args),
      ]);
      return (connection, options, handler) => readLaunch(wireFormat, connection, options, handler);
    },
    outbound: (launch, options) => outbound(wireFormat, launch, options),
  };
}
