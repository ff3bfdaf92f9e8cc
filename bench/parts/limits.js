import { newEndpoint } from '../endpoints.js';
import { interleave } from '../measure.js';
import { program } from '../processes.js';
import { pathToFileURL } from 'node:url';
import { BINDS } from '../targets.js';
import { compareTimes, launches, open, write } from './cold-launch.js';

/**
 * The cost of the least code that could keep a promise, against the yardstick of the promise: a script by hand that is
 * split into files, and one that has a secret.
 * @param {import('../measure.js').Budget} budget
 */
export async function limits(budget) {
  const byHand = program('by-hand.js');
  const empty = pathToFileURL(await write('empty', ['export {};'])).href;
  const files = {
    [BINDS]: byHand,
    'a second launch of that script, in three files': await write('three-files', [
      `import '${empty}';`,
      `import '${pathToFileURL(byHand).href}';`,
    ]),
    'a second launch of that script, with a secret': program('by-hand-secret.js'),
  };
  /** @type {import('../processes.js').Host[]} */
  const hosts = [];
  try {
    /** @type {Record<string, import('./cold-launch.js').Rival>} */
    const rivals = {};
    for (const [name, file] of Object.entries(files)) rivals[name] = await open(file, await newEndpoint(), hosts);
    const times = await interleave(launches(rivals, { command: process.execPath }), budget);
    const names = Object.keys(files).slice(1);
    return names.map((name) => compareTimes({ group: 'limit', name, against: BINDS }, times(name), times(BINDS)));
  } finally {
    for (const host of hosts) await host.stop();
  }
}
