import { connect } from 'node:net';
import { once } from 'node:events';
import { rawPeer, singletonPeer } from './hosts.js';
import { compare } from './report.js';
import { interleave } from './rounds.js';

const CONNECTIONS = 5000;
/** Opened at a time, because the backlog of the system is limited. */
const BATCH = 250;
const MESSAGES = 64;
const MESSAGE_BYTES = 2 ** 20;

const FLAGS = ['--expose-gc', '--import', new URL('programs/memory.js', import.meta.url).href];

/**
 * The memory of a host for a connection that sends nothing, and its peak while it receives much, against
 * servers of node:net.
 * @param {import('./rounds.js').Budget} budget For all of it.
 */
export async function memory({ seconds, fewest }) {
  const budget = { seconds: seconds / 4, fewest, warmUps: 0 };
  const rows = [];
  for (const codec of /** @type {const} */ (['legacy', 'json'])) {
    const what = { group: 'memory per open connection', name: codec, against: 'raw net', unit: 'KiB' };
    rows.push(await race(what, codec, ['hello'], perConnection, budget));
  }
  for (const codec of /** @type {const} */ (['legacy', 'msgpack'])) {
    const what = { group: 'peak memory, 64 × 1 MiB', name: codec, against: 'raw net', unit: 'MiB' };
    rows.push(await race(what, codec, ['x'.repeat(MESSAGE_BYTES - 64)], peak, budget));
  }
  return rows;
}

/**
 * Each turn has a host of its own: a process does not return all of its memory.
 * @param {Pick<import('./report.js').Row, 'group' | 'name' | 'against' | 'unit'>} what
 * @param {'legacy' | 'json' | 'msgpack'} codec
 * @param {readonly string[]} args
 * @param {(peer: import('./hosts.js').Peer) => Promise<number>} measure
 * @param {import('./rounds.js').Budget} budget
 */
async function race(what, codec, args, measure, budget) {
  const makeOurs = () => singletonPeer({ codec }, { args }, { flags: FLAGS });
  const model = await makeOurs();
  try {
    const results = await interleave(
      {
        ours: async () => withPeer(await makeOurs(), measure),
        raw: async () => withPeer(await rawPeer(model, { codec }, { args }, { flags: FLAGS }), measure),
      },
      budget,
    );
    return compare(what, results('ours'), results('raw'));
  } finally {
    await model.host.stop();
  }
}

/**
 * @param {import('./hosts.js').Peer} peer
 * @param {(peer: import('./hosts.js').Peer) => Promise<number>} measure
 */
async function withPeer(peer, measure) {
  try {
    return await measure(peer);
  } finally {
    await peer.host.stop();
  }
}

/** @param {import('./hosts.js').Peer} peer */
async function perConnection({ host, endpoint }) {
  const { rss: before } = await host.ask('memory');
  /** @type {import('node:net').Socket[]} */
  const sockets = [];
  while (sockets.length < CONNECTIONS) {
    const batch = Array.from({ length: BATCH }, () => connect(endpoint.where).on('error', () => {}));
    await Promise.all(batch.map((socket) => once(socket, 'connect')));
    sockets.push(...batch);
  }
  const { rss } = await host.ask('memory');
  for (const socket of sockets) socket.resetAndDestroy();
  return (rss - before) / CONNECTIONS / 1024;
}

/** @param {import('./hosts.js').Peer} peer */
async function peak({ host, deliver }) {
  const { rss } = await host.ask('memory');
  for (let count = 0; count < MESSAGES; count += 1) await deliver();
  const { peak: most } = await host.ask('memory');
  return (most - rss) / 2 ** 20;
}
