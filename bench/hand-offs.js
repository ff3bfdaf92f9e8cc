import { rawPeer, SECRET, singletonPeer } from './hosts.js';
import { transports } from './places.js';
import { quantile } from './ratio.js';
import { compare } from './report.js';
import { interleave } from './rounds.js';

const ARGS = ['open', 'a file.txt', '--line', '3'];
const AT_A_TIME = [1, 64];
/** Milliseconds of one turn. */
const TURN = 100;

/** @type {readonly { readonly name: string, readonly orders: import('./programs/host.js').Orders }[]} */
const CODECS = [
  { name: 'legacy', orders: { codec: 'legacy' } },
  { name: 'json', orders: { codec: 'json' } },
  { name: 'msgpack', orders: { codec: 'msgpack' } },
  { name: 'msgpack + secret', orders: { codec: 'msgpack', secret: SECRET } },
];

/**
 * Launches per second, and how long each takes, from a process that has warmed up to a host that has: ours against
 * node:net that exchanges the same bytes.
 * @param {import('./rounds.js').Budget} budget For all pairs together.
 */
export async function handOffs({ seconds, fewest }) {
  const pairs = transports().flatMap((transport) =>
    CODECS.flatMap(({ name, orders }) => AT_A_TIME.map((atATime) => ({ name, orders, transport, atATime }))),
  );
  const rows = [];
  for (const pair of pairs) rows.push(...(await race(pair, { seconds: seconds / pairs.length, fewest })));
  return rows;
}

/**
 * @param {{ name: string, orders: import('./programs/host.js').Orders, transport: 'tcp' | 'pipe', atATime: number }} pair
 * @param {import('./rounds.js').Budget} budget
 */
async function race({ name, orders, transport, atATime }, budget) {
  const ours = await singletonPeer(orders, { args: ARGS }, { transport });
  const raw = await rawPeer(ours, orders, { args: ARGS });
  try {
    /** @type {Record<'ours' | 'raw', Turn[]>} */
    const turns = { ours: [], raw: [] };
    const results = await interleave(
      {
        ours: async () => turns.ours.push(await load(ours.handOff, atATime)),
        raw: async () => turns.raw.push(await load(raw.handOff, atATime)),
      },
      budget,
    );
    const rounds = results('ours').length;
    /** @type {(group: string, unit: string, of: keyof Turn) => import('./report.js').Row} */
    const row = (group, unit, of) =>
      compare(
        { group, name: `${name}, ${transport}, ${atATime} at a time`, against: 'raw net', unit },
        turns.ours.slice(-rounds).map((turn) => turn[of]),
        turns.raw.slice(-rounds).map((turn) => turn[of]),
      );
    return [
      row('hand-offs per second', 'per s', 'rate'),
      row('hand-off latency, p50', 'ms', 'p50'),
      row('hand-off latency, p99', 'ms', 'p99'),
    ];
  } finally {
    await ours.host.stop();
    await raw.host.stop();
  }
}

/**
 * @typedef {object} Turn
 * @property {number} rate Hand-offs per second.
 * @property {number} p50 Milliseconds.
 * @property {number} p99
 */

/**
 * Hands over again and again, so many at a time.
 * @param {() => Promise<unknown>} handOff
 * @param {number} atATime
 * @returns {Promise<Turn>}
 */
export async function load(handOff, atATime) {
  /** @type {number[]} */
  const latencies = [];
  const start = performance.now();
  const one = async () => {
    for (let began = start; began - start < TURN;) {
      began = performance.now();
      await handOff();
      latencies.push(performance.now() - began);
    }
  };
  await Promise.all(Array.from({ length: atATime }, one));
  const seconds = (performance.now() - start) / 1000;
  return { rate: latencies.length / seconds, p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) };
}
