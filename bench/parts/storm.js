import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { newEndpoint, scratch } from '../endpoints.js';
import { interleave } from '../measure.js';
import { exitOf } from '../processes.js';
import { compare } from '../report.js';

const PROCESSES = 50;
/** The exit status of the host when it has received all other launches. */
const HOST = 9;

/**
 * Launches of one program at one instant, until the last has exited, against processes that do nothing.
 * @param {import('../measure.js').Budget} budget
 */
export async function storm(budget) {
  const file = join(await scratch(), 'storm.mjs');
  await writeFile(file, PROGRAM);
  const results = await interleave(
    { ours: () => launches(file), nothing: async () => (await all(['-e', '0'])).took },
    { ...budget, warmUps: 0 },
  );
  const what = /** @type {const} */ ({ group: 'storm', name: 'with legacy()', against: 'empty programs', unit: 'ms' });
  return [compare(what, results('ours'), results('nothing'))];
}

const PROGRAM = `
  import { Singleton } from '${new URL('../../dist/index.js', import.meta.url).href}';
  const { port } = JSON.parse(process.env.BENCH_ENDPOINT);
  const app = await Singleton.acquire({ port, releaseThreshold: ${PROCESSES - 1}, deliveryTimeout: 60_000 });
  let published = 0;
  app.on('args', () => (published += 1));
  app.on('release', () => (process.exitCode = published === ${PROCESSES - 2} ? ${HOST} : 1));
`;

/** @param {string} file */
async function launches(file) {
  const { env } = await newEndpoint();
  const { took, codes } = await all([file, 'hello'], env);
  const count = (/** @type {number} */ status) => codes.filter((code) => code === status).length;
  if (count(HOST) !== 1 || count(0) !== PROCESSES - 1)
    throw new Error(`Expected one host and no loss, got ${codes.join()}.`);
  return took;
}

/** @param {readonly string[]} argv @param {Readonly<Record<string, string>>} [env] */
async function all(argv, env) {
  const began = performance.now();
  const codes = await Promise.all(Array.from({ length: PROCESSES }, () => exitOf(argv, env)));
  return { took: performance.now() - began, codes };
}
