import { rawPeer, SECRET, singletonPeer } from './hosts.js';
import { transports } from './endpoints.js';
import { quantile } from './ratio.js';
import { compare } from './report.js';
import { interleave } from './rounds.js';

const ARGS = ['open', 'a file.txt', '--line', '3'];
const AT_A_TIME = [1, 64];
/** Milliseconds of one turn. */
const TURN = 100;

/** Deliveries until V8 has compiled a new host, and the milliseconds after which the warm-up ends in any case. */
const WARM = { deliveries: 5000, milliseconds: 2500 };

/** @typedef {{ readonly name: string, readonly config: import('./programs/host.js').HostConfig, readonly transport?: import('./endpoints.js').Endpoint['transport'] }} Wire */

/** @type {readonly Wire[]} */
const WIRES = [
  { name: 'legacy', config: { codec: 'legacy' } },
  { name: 'json', config: { codec: 'json' } },
  { name: 'msgpack', config: { codec: 'msgpack' } },
  { name: 'msgpack + secret', config: { codec: 'msgpack', secret: SECRET } },
  { name: 'legacy', config: { codec: 'legacy' }, transport: 'pipe' },
];

/**
 * Launches per second, and how long each takes, from a process that has warmed up to a host that has: ours against
 * node:net that exchanges the same bytes.
 * @param {import('./rounds.js').Budget} budget For all of them together, warmed up.
 */
export async function deliveries({ seconds, fewest }) {
  const wires = WIRES.filter(({ transport }) => transport === undefined || transports().includes(transport));
  const rows = [];
  for (const wire of wires) {
    rows.push(...(await race(wire, { seconds: seconds / (wires.length + 1), fewest, warmUps: 0 })));
  }
  return [...rows, ...(await raceHosts({ seconds: seconds / (wires.length + 1), fewest, warmUps: 0 }))];
}

/**
 * What it costs a legacy launch that its host also has json().
 * @param {import('./rounds.js').Budget} budget
 */
async function raceHosts(budget) {
  const several = await singletonPeer({ codec: 'legacy', first: 'json' }, { args: ARGS });
  const one = await singletonPeer({ codec: 'legacy' }, { args: ARGS });
  try {
    for (const { deliver } of [several, one]) await warmUp(deliver);
    const rows = [];
    for (const atATime of AT_A_TIME) {
      const rate =
        (/** @type {import('./hosts.js').Peer} */ { deliver }) =>
        async () =>
          (await load(deliver, atATime)).rate;
      const rates = await interleave(
        { several: rate(several), one: rate(one) },
        { ...budget, seconds: budget.seconds / AT_A_TIME.length },
      );
      const name = `legacy, at a host with [json(), legacy()], ${atATime} at a time`;
      const what = { group: 'deliveries per second', name, against: 'at a host with legacy()', unit: 'per s' };
      rows.push(compare(what, rates('several'), rates('one')));
    }
    return rows;
  } finally {
    await several.host.stop();
    await one.host.stop();
  }
}

/**
 * @param {Wire} wire
 * @param {import('./rounds.js').Budget} budget
 */
async function race({ name, config, transport = 'tcp' }, budget) {
  const ours = await singletonPeer(config, { args: ARGS }, { transport });
  const raw = await rawPeer(ours, config, { args: ARGS });
  try {
    /** @type {Record<string, Turn[]>} */
    const turns = {};
    /** @type {Record<string, import('./rounds.js').Contestant>} */
    const contestants = {};
    for (const atATime of AT_A_TIME) {
      for (const [whose, { deliver }] of Object.entries({ ours, raw })) {
        const list = /** @type {Turn[]} */ (turns[`${whose} ${atATime}`] = []);
        contestants[`${whose} ${atATime}`] = async () => list.push(await load(deliver, atATime));
      }
    }
    for (const { deliver } of [ours, raw]) await warmUp(deliver);
    await interleave(contestants, budget);
    return AT_A_TIME.flatMap((atATime) => {
      const measured = (/** @type {string} */ whose) => turns[`${whose} ${atATime}`] ?? [];
      /** @type {(group: string, unit: string, of: keyof Turn) => import('./report.js').Row} */
      const row = (group, unit, of) =>
        compare(
          { group, name: `${name}, ${transport}, ${atATime} at a time`, against: 'raw net', unit },
          measured('ours').map((one) => one[of]),
          measured('raw').map((one) => one[of]),
        );
      return [
        row('deliveries per second', 'per s', 'rate'),
        row('delivery latency, p50', 'ms', 'p50'),
        row('delivery latency, p99', 'ms', 'p99'),
      ];
    });
  } finally {
    await ours.host.stop();
    await raw.host.stop();
  }
}

/**
 * @typedef {object} Turn
 * @property {number} rate Deliveries per second.
 * @property {number} p50 Milliseconds.
 * @property {number} p99
 */

/** @param {() => Promise<unknown>} deliver */
export async function warmUp(deliver) {
  const end = performance.now() + WARM.milliseconds;
  for (let left = WARM.deliveries; left > 0 && performance.now() < end; left -= 50) {
    await Promise.all(Array.from({ length: 50 }, deliver));
  }
}

/**
 * Delivers launches repeatedly, `atATime` at a time.
 * @param {() => Promise<unknown>} deliver
 * @param {number} atATime
 * @returns {Promise<Turn>}
 */
export async function load(deliver, atATime) {
  /** @type {number[]} */
  const latencies = [];
  const start = performance.now();
  const one = async () => {
    for (let began = start; began - start < TURN;) {
      began = performance.now();
      await deliver();
      latencies.push(performance.now() - began);
    }
  };
  await Promise.all(Array.from({ length: atATime }, one));
  const seconds = (performance.now() - start) / 1000;
  return { rate: latencies.length / seconds, p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) };
}
