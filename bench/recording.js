import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/**
 * What one side said until the other one's turn came.
 * @typedef {object} Turn
 * @property {'client' | 'host'} from
 * @property {number} bytes
 */

/**
 * Stands between a client and a host, and writes down who said how much.
 * @param {import('node:net').NetConnectOpts} host
 * @param {(port: number) => Promise<unknown>} handOff Hands over through this port.
 * @returns {Promise<readonly Turn[]>}
 */
export async function record(host, handOff) {
  /** @type {Turn[]} */
  const turns = [];
  /** @type {(from: Turn['from']) => (chunk: Uint8Array) => void} */
  const note = (from) => (chunk) => {
    const last = turns.at(-1);
    if (last?.from === from) last.bytes += chunk.length;
    else turns.push({ from, bytes: chunk.length });
  };
  const relay = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const further = connect({ ...host, allowHalfOpen: true });
    client.on('data', note('client')).pipe(further);
    further.on('data', note('host')).pipe(client);
  }).listen({ host: '127.0.0.1', port: 0, exclusive: true });
  await once(relay, 'listening');
  const address = relay.address();
  await handOff(typeof address === 'object' && address ? address.port : 0);
  relay.close();
  return turns;
}

/**
 * Plays one side of a recording with zeros for bytes, and nothing else that a protocol would do. The client ends first.
 * @param {import('node:net').Socket} socket
 * @param {readonly Turn[]} turns
 * @param {Turn['from']} side
 */
export function play(socket, turns, side) {
  let at = 0;
  let missing = 0;
  const speak = () => {
    for (; turns[at]?.from === side; at += 1) socket.write(Buffer.alloc(turns[at]?.bytes ?? 0));
    missing = turns[at]?.bytes ?? 0;
    if (at === turns.length && side === 'client') socket.end();
  };
  socket.on('error', () => {});
  socket.on('data', (chunk) => {
    missing -= chunk.length;
    if (missing > 0) return;
    at += 1;
    speak();
  });
  socket.on('end', () => socket.end());
  speak();
}
