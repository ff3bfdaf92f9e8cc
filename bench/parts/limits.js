import { newEndpoint } from '../endpoints.js';
import { interleave } from '../measure.js';
import { program } from '../processes.js';
import { pathToFileURL } from 'node:url';
import { BINDS, CONNECTS } from '../targets.js';
import { compareTimes, launches, open, write } from './cold-launch.js';

const DIST = new URL('../../dist/', import.meta.url).href;

/**
 * The cost of the least code that could keep a promise, against the yardstick of the promise: a script by hand that loads this
 * package and does not use it, and one that has a secret.
 * @param {import('../measure.js').Budget} budget
 */
export async function limits(budget) {
  const connectFirst = program('connect-first.js');
  const connects = pathToFileURL(connectFirst).href;
  const files = {
    [BINDS]: program('by-hand.js'),
    [CONNECTS]: connectFirst,
    'a script that connects first and loads this package': await write('loads', [
      `import '${DIST}index.js';`,
      `import '${connects}';`,
    ]),
    'a script that connects first and loads json()': await write('loads-json', [
      `import '${DIST}codecs/json.js';`,
      `import '${DIST}index.js';`,
      `import '${connects}';`,
    ]),
    'a script that binds first, with a secret': program('by-hand-secret.js'),
  };
  /** @type {import('../processes.js').Host[]} */
  const hosts = [];
  try {
    /** @type {Record<string, import('./cold-launch.js').Rival>} */
    const rivals = {};
    for (const [name, file] of Object.entries(files)) rivals[name] = await open(file, await newEndpoint(), hosts);
    const times = await interleave(launches(rivals, { command: process.execPath }), budget);
    const row = (/** @type {string} */ name, /** @type {string} */ against) =>
      compareTimes({ group: 'limit', name, against }, times(name), times(against));
    const [, , loads = '', loadsJson = '', secret = ''] = Object.keys(files);
    return [row(loads, CONNECTS), row(loadsJson, BINDS), row(secret, BINDS)];
  } finally {
    for (const host of hosts) await host.stop();
  }
}
