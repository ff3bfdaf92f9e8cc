import { connect } from 'node:net';
import { once } from 'node:events';
import { newEndpoint } from '../endpoints.js';
import { rawPeer, singletonPeer } from '../hosts.js';
import { interleave } from '../measure.js';
import { Host, program } from '../processes.js';
import { compare } from '../report.js';
import { singleton } from './cold-launch.js';

const CONNECTIONS = 3000;
/** Opened at a time, because the backlog of the system is limited. */
const BATCH = 250;
const MESSAGES = 64;
const MESSAGE_BYTES = 2 ** 20;

/** Those of a host that answers the question for its memory. */
export const FLAGS = ['--expose-gc', '--import', new URL('../programs/memory.js', import.meta.url).href];

/**
 * @typedef {import('../hosts.js').Peer} Peer
 * @typedef {import('../programs/host.js').HostConfig} HostConfig
 */

/**
 * The memory of a host that does nothing, for a connection that sends nothing, and its peak while it receives much,
 * against servers of node:net.
 * @param {import('../measure.js').Budget} budget For all of it.
 */
export async function memory({ seconds, fewest }) {
  const budget = { seconds: seconds / 4, fewest, warmUps: 0 };
  const idleRow = await idle(budget);
  /** @type {Readonly<Record<string, HostConfig>>} */
  const hosts = {
    'per open connection, with legacy()': { codec: 'legacy' },
    'per open connection, with json()': { codec: 'json' },
    'per open connection, with [json(), legacy()]': { codec: 'legacy', first: 'json' },
  };
  const rows = [idleRow, ...(await race(hosts, 'KiB', ['hello'], perConnection, budget))];
  for (const codec of /** @type {const} */ (['legacy', 'msgpack'])) {
    const host = { [`peak while 64 × 1 MiB arrive, with ${codec}()`]: { codec } };
    rows.push(...(await race(host, 'MiB', ['x'.repeat(MESSAGE_BYTES - 64)], peak, { ...budget, fewest: 1 })));
  }
  return rows;
}

/** The program of the README's quick start, against a script by hand. @param {import('../measure.js').Budget} budget */
async function idle(budget) {
  const endpoint = await newEndpoint();
  const files = { ours: await singleton({ codec: 'legacy' }, endpoint), raw: program('by-hand.js') };
  const contestants = { ours: () => memoryOf(files.ours, endpoint), raw: () => memoryOf(files.raw, endpoint) };
  const results = await interleave(contestants, { ...budget, fewest: 5 });
  const what = /** @type {const} */ ({ group: 'memory', name: 'idle, with legacy()', against: 'raw net', unit: 'MiB' });
  return compare(what, results('ours'), results('raw'));
}

/** @param {string} file @param {import('../endpoints.js').Endpoint} endpoint */
async function memoryOf(file, { env }) {
  const host = await Host.start([...FLAGS, file], env);
  const { rss } = await host.ask('memory');
  await host.stop();
  return rss / 2 ** 20;
}

/**
 * Hosts against one of node:net. Each turn has a host of its own: a process does not return all of its memory.
 * @param {Readonly<Record<string, HostConfig>>} hosts
 * @param {string} unit
 * @param {readonly string[]} args
 * @param {(peer: Peer) => Promise<number>} measure
 * @param {import('../measure.js').Budget} budget
 */
async function race(hosts, unit, args, measure, budget) {
  const [config = { codec: 'legacy' }] = Object.values(hosts);
  const model = await singletonPeer(config, { args });
  const raw = async () => withPeer(await rawPeer(model, config, { args }, { flags: FLAGS }), measure);
  const ours = Object.entries(hosts).map(([name, host]) => {
    const turn = async () => withPeer(await singletonPeer(host, { args }, { flags: FLAGS }), measure);
    return /** @type {const} */ ([name, turn]);
  });
  try {
    const results = await interleave({ ...Object.fromEntries(ours), raw }, budget);
    return ours.map(([name]) =>
      compare({ group: 'memory', name, unit, against: 'raw net' }, results(name), results('raw')),
    );
  } finally {
    await model.host.stop();
  }
}

/**
 * @param {Peer} peer
 * @param {(peer: Peer) => Promise<number>} measure
 */
async function withPeer(peer, measure) {
  try {
    return await measure(peer);
  } finally {
    await peer.host.stop();
  }
}

/** @param {Peer} peer */
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

/** @param {Peer} peer */
async function peak({ host, deliver }) {
  const { rss } = await host.ask('memory');
  for (let count = 0; count < MESSAGES; count += 1) await deliver();
  const { peak: most } = await host.ask('memory');
  return (most - rss) / 2 ** 20;
}
