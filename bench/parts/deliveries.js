import { transports } from '../endpoints.js';
import { rawPeer, SECRET, singletonPeer } from '../hosts.js';
import { interleave } from '../measure.js';
import { compare } from '../report.js';

export const ARGS = ['open', 'a file.txt', '--line', '3'];
/** Milliseconds of one turn. */
const TURN = 60;

/** Deliveries until V8 has compiled a new host, and the milliseconds after which the warm-up ends in any case. */
const WARM = { deliveries: 4000, milliseconds: 1200 };

/**
 * @typedef {object} Wire
 * @property {string} name
 * @property {import('../programs/host.js').HostConfig} config
 * @property {import('../endpoints.js').Endpoint['transport']} [transport]
 * @property {string} [against]
 */

/** @type {readonly Wire[]} */
const WIRES = [
  { name: 'legacy()', config: { codec: 'legacy' } },
  { name: 'json()', config: { codec: 'json' } },
  {
    name: 'msgpack() and a secret',
    config: { codec: 'msgpack', secret: SECRET },
    against: 'raw net, X25519 and AES-GCM by hand',
  },
  { name: 'legacy() on a pipe', config: { codec: 'legacy' }, transport: 'pipe' },
];

/**
 * Launches per second, from a process that has warmed up to a host that has: ours against node:net that exchanges the same
 * bytes.
 * @param {import('../measure.js').Budget} budget For all of them together, warmed up.
 */
export async function deliveries({ seconds, fewest }) {
  const wires = WIRES.filter(({ transport = 'tcp' }) => transports.includes(transport));
  const budget = { seconds: seconds / (wires.length + 1), fewest };
  const rows = [];
  for (const { name, config, transport = 'tcp', against = 'raw net' } of wires) {
    const ours = await singletonPeer(config, { args: ARGS }, { transport });
    const raw = await rawPeer(ours, config, { args: ARGS }, { encrypts: config.secret !== undefined });
    rows.push(...(await race({ name, against }, ours, raw, budget)));
  }
  const several = await singletonPeer({ codec: 'legacy', first: 'json' }, { args: ARGS });
  const one = await singletonPeer({ codec: 'legacy' }, { args: ARGS });
  const what = { name: 'to a host with [json(), legacy()]', against: 'a host with legacy()' };
  return [...rows, ...(await race(what, several, one, budget))];
}

/**
 * @param {Pick<import('../report.js').Row, 'name' | 'against'>} what
 * @param {import('../hosts.js').Peer} ours
 * @param {import('../hosts.js').Peer} theirs
 * @param {import('../measure.js').Budget} budget
 */
async function race({ name, against }, ours, theirs, budget) {
  try {
    for (const { deliver } of [ours, theirs]) await warmUp(deliver);
    const rates = await interleave(
      {
        'ours, 1 at a time': () => rateOf(ours.deliver, 1),
        'theirs, 1 at a time': () => rateOf(theirs.deliver, 1),
        'ours, 64 at a time': () => rateOf(ours.deliver, 64),
        'theirs, 64 at a time': () => rateOf(theirs.deliver, 64),
      },
      budget,
    );
    return ['1 at a time', '64 at a time'].map((how) => {
      const what = /** @type {const} */ ({ group: 'deliveries', name: `${name}, ${how}`, against, unit: 'per s' });
      return compare(what, rates(`ours, ${how}`), rates(`theirs, ${how}`));
    });
  } finally {
    await ours.host.stop();
    await theirs.host.stop();
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
