import { Bench } from 'tinybench';
import { interleave } from './measure.js';
import { compare } from './report.js';

/** Milliseconds of one turn. */
const TURN = 15;

/**
 * Two functions of one process that do the same.
 * @typedef {object} Pair
 * @property {string} name
 * @property {string} against
 * @property {number} amount What one call does…
 * @property {string} unit …of what, per second.
 * @property {() => unknown} ours
 * @property {() => unknown} theirs
 */

/**
 * Measures each pair by tinybench, a few milliseconds of the one, then of the other, and again.
 * @param {import('./report.js').Row['group']} group
 * @param {readonly Pair[]} pairs
 * @param {import('./measure.js').Budget} budget For all pairs together.
 */
export async function race(group, pairs, { seconds, fewest }) {
  const rows = [];
  for (const { name, against, amount, unit, ours, theirs } of pairs) {
    const turn = (/** @type {() => unknown} */ call) => async () => amount / (await secondsOf(call));
    const budget = { seconds: seconds / pairs.length, fewest };
    const results = await interleave({ ours: turn(ours), theirs: turn(theirs) }, budget);
    rows.push(compare({ group, name, against, unit }, results('ours'), results('theirs')));
  }
  return rows;
}

/** The median of one turn. @param {() => unknown} call */
async function secondsOf(call) {
  const bench = new Bench({ time: TURN, iterations: 2, warmup: false }).add('', call);
  await bench.run();
  const result = bench.tasks[0]?.result;
  if (result?.state !== 'completed') throw new Error('A task was not completed.', { cause: result });
  return result.latency.p50 / 1000;
}
