import { transports } from '../endpoints.js';
import { rawPeer, SECRET, singletonPeer } from '../hosts.js';
import { interleave } from '../measure.js';
import { compare } from '../report.js';

export const ARGS = ['open', 'a file.txt', '--line', '3'];
/** Milliseconds of one turn. */
const TURN = 60;

/** Deliveries until V8 has compiled a new host, and the milliseconds after which the warm-up ends in any case. */
const WARM = { deliveries: 30_000, milliseconds: 2500 };

/**
 * @typedef {object} Wire
 * @property {string} name
 * @property {import('../programs/host.js').HostConfig} config
 * @property {import('../endpoints.js').Endpoint['transport']} [transport]
 * @property {string} [against]
 * @property {import('../recording.js').Duties} client What the promises of the wire demand of the client at the least…
 * @property {import('../recording.js').Duties} host …and of the host.
 */

/** @type {readonly Wire[]} */
const WIRES = [
  {
    name: 'legacy()',
    config: { codec: 'legacy' },
    // So that a launch is not lost at a host without free descriptors: see docs/protocol.md.
    client: { pauses: 12, hasDeadline: true },
    host: { asks: true },
  },
  { name: 'json()', config: { codec: 'json' }, client: { hasDeadline: true }, host: { pauses: 2, asks: true } },
  {
    name: 'msgpack() and a secret',
    config: { codec: 'msgpack', secret: SECRET },
    against: 'raw net, X25519 and AES-GCM by hand',
    client: { encrypts: true, hashes: true, hasDeadline: true },
    host: { encrypts: true, hashes: true, pauses: 2, asks: true },
  },
  {
    name: 'legacy() on a pipe',
    config: { codec: 'legacy' },
    transport: 'pipe',
    client: { pauses: 12, hasDeadline: true },
    host: {},
  },
];

/**
 * Launches per second, from a process that has warmed up to a host that has: ours against node:net that exchanges the same
 * bytes, and against one that also keeps the same promises, which is the limit.
 * @param {import('../measure.js').Budget} budget For all of them together, warmed up.
 */
export async function deliveries({ seconds, fewest }) {
  const wires = WIRES.filter(({ transport = 'tcp' }) => transports.includes(transport));
  const budget = { seconds: seconds / (wires.length + 1), fewest };
  const rows = [];
  for (const { name, config, transport = 'tcp', against = 'raw net', client, host } of wires) {
    const ours = await singletonPeer(config, { args: ARGS }, { transport });
    const encrypts = config.secret !== undefined;
    const bare = { client: { encrypts }, host: { encrypts } };
    const theirs = await rawPeer(ours, config, { args: ARGS }, bare);
    const limit = await rawPeer(ours, config, { args: ARGS }, { client, host });
    rows.push(...(await race({ name, against }, { ours, theirs, limit }, budget)));
  }
  const ours = await singletonPeer({ codec: 'legacy', first: 'json' }, { args: ARGS });
  const theirs = await singletonPeer({ codec: 'legacy' }, { args: ARGS });
  const what = { name: 'to a host with [json(), legacy()]', against: 'a host with legacy()' };
  return [...rows, ...(await race(what, { ours, theirs }, budget))];
}

/**
 * @param {Pick<import('../report.js').Row, 'name' | 'against'>} what
 * @param {Readonly<Record<'ours' | 'theirs', import('../hosts.js').Peer>> & { limit?: import('../hosts.js').Peer }} peers
 * @param {import('../measure.js').Budget} budget
 */
async function race({ name, against }, peers, budget) {
  try {
    for (const { deliver } of Object.values(peers)) await warmUp(deliver);
    /** @type {import('../report.js').Row[]} */
    const rows = [];
    // Apart: a turn after one with many at a time would collect the garbage of that one, too.
    for (const atATime of [1, 64]) {
      const how = `${atATime} at a time`;
      const turns = Object.entries(peers).map(
        ([who, { deliver }]) => /** @type {const} */ ([who, () => rateOf(deliver, atATime)]),
      );
      const rates = await interleave(Object.fromEntries(turns), { ...budget, seconds: budget.seconds / 2 });
      const theirs = rates('theirs');
      rows.push(
        compare({ group: 'deliveries', name: `${name}, ${how}`, against, unit: 'per s' }, rates('ours'), theirs),
      );
      const limit = `deliveries with ${name}, ${how}`;
      if (peers.limit)
        rows.push(compare({ group: 'limit', name: limit, against, unit: 'per s' }, rates('limit'), theirs));
    }
    return rows;
  } finally {
    for (const { host } of Object.values(peers)) await host.stop();
  }
}

/** @param {() => Promise<unknown>} deliver */
export async function warmUp(deliver) {
  const end = performance.now() + WARM.milliseconds;
  for (let left = WARM.deliveries; left > 0 && performance.now() < end; left -= 50) {
    await Promise.all(Array.from({ length: 50 }, deliver));
  }
}

/**
 * Delivers launches repeatedly, `atATime` at a time; how many per second.
 * @param {() => Promise<unknown>} deliver
 * @param {number} atATime
 */
export async function rateOf(deliver, atATime) {
  let delivered = 0;
  const start = performance.now();
  const one = async () => {
    for (; performance.now() - start < TURN; delivered += 1) await deliver();
  };
  await Promise.all(Array.from({ length: atATime }, one));
  return (delivered / (performance.now() - start)) * 1000;
}
