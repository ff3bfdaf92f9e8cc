import type { Protocol } from '../interface/codec.ts';
import { unloaded } from '../interface/errors.ts';
import { prepare } from './client.ts';
import { type Carrier, load } from './serializer.ts';

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
export function conversation<T, R>(carrier: Carrier<T, R>): Protocol<T, R> {
  return {
    async load() {
      const [{ receive }] = await Promise.all([import('./host.ts').catch(unloaded), load(carrier.name, carrier.args)]);
      return (connection, terms, receiver) => receive(carrier, connection, terms, receiver);
    },
    prepare: (launch, terms) => prepare(carrier, launch, terms),
  };
}
