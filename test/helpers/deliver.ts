import { type Duplex, duplexPair } from 'node:stream';
import type { Codec, LaunchResult, Protocol, ProtocolOptions } from '../../src/interface/codec.ts';

/** What a host with one codec makes of what a client with another sends. */
export async function hand<T>(
  args: T,
  from: Codec<T>,
  to: Codec<unknown> = from,
  secret?: Uint8Array,
): Promise<unknown> {
  const terms = { secret, name: '', maxMessageBytes: 2 ** 24 };
  const [client, host] = duplexPair();
  const handOff = await from.protocol.outbound({ args }, terms);
  const reception = receptionOf(to.protocol, host, terms);
  handOff(client).catch(() => {});
  try {
    const received = await reception;
    return received.verified ? received.launch.args : received.reason;
  } finally {
    client.destroy();
  }
}

/** What a host makes of a connection. */
export async function receptionOf<T>(
  protocol: Protocol<T>,
  connection: Duplex,
  terms: ProtocolOptions,
): Promise<LaunchResult<T>> {
  connection.on('error', () => {});
  const receive = await protocol.inbound();
  return new Promise((onLaunch, onError) => void receive(connection, terms, { onLaunch, onError }));
}

/** The fewest milliseconds that a run took; no more runs when one is under `limit`, and 20 at most: the machine may be busy. */
export async function fewest(limit: number, run: () => Promise<unknown>): Promise<number> {
  let best = Infinity;
  for (let runs = 0; runs < 20 && best >= limit; runs += 1) {
    const start = performance.now();
    await run();
    best = Math.min(best, performance.now() - start);
  }
  return best;
}
