import type { Protocol } from '../interface/protocol.ts';
import { moduleNotLoadedError } from '../interface/errors.ts';
import { outbound, statusAsker } from './client.ts';
import { MAGIC } from './hello.ts';
import { type WireFormat, load } from './serializer.ts';

/**
 * The protocol of the structured codecs. The client sends first:
 *
 *     client → host    client hello, and with a secret the first handshake message
 *     host → client    host hello, and with a secret the second handshake message; all that follows is then encrypted
 *     client → host    launch
 *     host → client    receipt or refusal
 *
 * Instead of the launch, the client may ask for the status, and then send a launch or ask to replace the host.
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
export function structuredProtocol<T, R>(wireFormat: WireFormat<T, R>): StructuredProtocol<T, R> {
  return {
    wireFormat,
    firstByte: MAGIC[0],
    async inbound(codecs) {
      const wireFormats = codecs.flatMap(({ protocol }) => (isStructured(protocol) ? protocol.wireFormat : []));
      const [{ readLaunch }] = await Promise.all([
        import('./host.ts').catch(moduleNotLoadedError),
        ...wireFormats.map(({ name, args }) => load(name, args)),
      ]);
      return (connection, options, handler) => readLaunch(wireFormats, connection, options, handler);
    },
    outbound: (launch, options) => outbound(wireFormat, launch, options),
    status: (options) => statusAsker(wireFormat, options),
  };
}

interface StructuredProtocol<T, R> extends Protocol<T, R> {
  readonly wireFormat: WireFormat<T, R>;
}

function isStructured<T, R>(protocol: Protocol<T, R>): protocol is StructuredProtocol<T, R> {
  return 'wireFormat' in protocol;
}
