import type { Protocol } from '../interface/codec.ts';
import { moduleNotLoadedError } from '../interface/errors.ts';
import { outbound } from './client.ts';
import { type WireFormat, load } from './serializer.ts';

/**
 * The conversation of the structured codecs. The client speaks first and closes last:
 *
 *     client → host    preface, and where a secret is set the first handshake message
 *     host → client    hello, and the second handshake message; from here on encrypted, where a secret is set
 *     client → host    launch
 *     host → client    receipt or refusal
 *
 * and where the launch waits, behind the receipt:
 *
 *     host → client    stdout, stderr, pull        as much as there is
 *     client → host    stdin                       as much as was pulled
 *     host → client    reply, exit or refusal      the last word
 *
 * A client that closes before the receipt has taken its launch back; one that closes before the last word has gone.
 */
export function structuredProtocol<T, R>(carrier: WireFormat<T, R>): Protocol<T, R> {
  return {
    async inbound() {
      const [{ readLaunch: receive }] = await Promise.all([
        import('./host.ts').catch(moduleNotLoadedError),
        load(carrier.name, carrier.args),
      ]);
      return (connection, terms, receiver) => receive(carrier, connection, terms, receiver);
    },
    outbound: (launch, terms) => outbound(carrier, launch, terms),
  };
}
