import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/**
 * The number of bytes that one side sent before the other side sent any.
 * @typedef {object} Turn
 * @property {'client' | 'host'} from
 * @property {number} bytes
 */

/**
 * Records, between a client and a host, how many bytes each side sends.
 * @param {import('node:net').NetConnectOpts} host
 * @param {(port: number) => Promise<unknown>} deliver Delivers a launch through this port.
 * @returns {Promise<readonly Turn[]>}
 */
export async function record(host, deliver) {
  /** @type {Turn[]} */
  const turns = [];
  /** @type {(from: Turn['from']) => (chunk: Uint8Array) => void} */
  const note = (from) => (chunk) => {
    const last = turns.at(-1);
    if (last?.from === from) last.bytes += chunk.length;
    else turns.push({ from, bytes: chunk.length });
  };
  const relay = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const upstream = connect({ ...host, allowHalfOpen: true });
    client.on('data', note('client')).pipe(upstream);
    upstream.on('data', note('host')).pipe(client);
  }).listen({ host: '127.0.0.1', port: 0, exclusive: true });
  await once(relay, 'listening');
  const address = relay.address();
  await deliver(typeof address === 'object' && address ? address.port : 0);
  relay.close();
  return turns;
}

/**
 * Sends the bytes of one side of a recording, as zeros, without any other work of a protocol. The client ends first.
 * @param {import('node:net').Socket} socket
 * @param {readonly Turn[]} turns
 * @param {Turn['from']} side
 */
export function replay(socket, turns, side) {
  let at = 0;
  let missing = 0;
  const sendTurn = () => {
    for (; turns[at]?.from === side; at += 1) socket.write(Buffer.alloc(turns[at]?.bytes ?? 0));
    missing = turns[at]?.bytes ?? 0;
    if (at === turns.length && side === 'client') socket.end();
  };
  socket.on('error', () => {});
  socket.on('data', (chunk) => {
    missing -= chunk.length;
    if (missing > 0) return;
    at += 1;
    sendTurn();
  });
  socket.on('end', () => socket.end());
  sendTurn();
}
