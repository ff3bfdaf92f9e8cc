import type { Format, Protocol } from '../codecs/codec.ts';
import { prepare } from './handing-over.ts';
import type { Frame } from './messages.ts';
import { Receiving } from './receiving.ts';

/** What carries a conversation: how arguments become bytes, and how frames do. */
export interface Carrier<T> {
  readonly name: string;
  serialize(args: T): Uint8Array;
  deserialize(bytes: Uint8Array): T;
  readonly frames: Format<Frame>;
}

/**
 * The conversation of the structured codecs. The client speaks first and closes last:
 *
 *     client → host    preface, and where a secret is set the first handshake message
 *     host → client    hello, and the second handshake message; from here on encrypted, where a secret is set
 *     client → host    launch
 *     host → client    receipt or refusal
 *
 * A client that closes before the receipt has taken its launch back.
 */
export function conversation<T>(carrier: Carrier<T>): Protocol<T> {
  return {
    receive(connection, terms) {
      const receiving = new Receiving(carrier, connection, terms);
      return { reception: receiving.receive(), answer: receiving };
    },
    prepare: (launch, terms) => prepare(carrier, launch, terms),
  };
}
