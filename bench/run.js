// npm run bench                      measures, and writes results.json and chart.svg
// npm run bench -- --check           measures, and fails if a target is missed by more than the noise
// npm run bench -- codecs memory     measures only these
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { chart } from './chart.js';
import { channel } from './channel.js';
import { codecs } from './codecs.js';
import { command } from './command.js';
import { coldLaunch } from './cold-launch.js';
import { growth } from './growth.js';
import { deliveries } from './deliveries.js';
import { internals } from './internals.js';
import { limits } from './limits.js';
import { memory } from './memory.js';
import { clearScratch } from './endpoints.js';
import { circumstances, print } from './report.js';
import { size } from './size.js';
import { storm } from './storm.js';
import { checkTarget, TARGETS } from './targets.js';

/** @type {Readonly<Record<string, () => Promise<readonly import('./report.js').Row[]>>>} */
const PARTS = {
  size,
  'cold-launch': () => coldLaunch({ seconds: 24, fewest: 12 }),
  command: () => command({ seconds: 8, fewest: 12 }),
  deliveries: () => deliveries({ seconds: 16, fewest: 5 }),
  codecs: async () => codecs(await internals(), { seconds: 12, fewest: 5 }),
  channel: async () => channel(await internals(), { seconds: 4, fewest: 5 }),
  memory: () => memory({ seconds: 10, fewest: 2 }),
  growth: () => growth({ seconds: 5, fewest: 2 }),
  limits: async () => limits(await internals(), { seconds: 9, fewest: 4 }),
  storm: () => storm({ seconds: 10, fewest: 2 }),
};

const { values, positionals } = parseArgs({ options: { check: { type: 'boolean' } }, allowPositionals: true });
const unknown = positionals.filter((name) => !Object.hasOwn(PARTS, name));
if (unknown.length > 0) throw new Error(`Expected of ${Object.keys(PARTS).join(', ')}; got ${unknown.join(', ')}.`);

/** @type {import('./report.js').Row[]} */
const rows = [];
try {
  for (const [name, measure] of Object.entries(PARTS)) {
    if (positionals.length > 0 && !positionals.includes(name)) continue;
    const measured = await measure();
    print(measured);
    rows.push(...measured);
  }
} finally {
  await clearScratch();
}
console.log(`${Math.round(performance.now() / 1000)} seconds.`);

if (values.check) check();
else if (positionals.length === 0) await write();

function check() {
  const checked = rows.flatMap((row) => checkTarget(row) ?? []);
  const missed = checked.filter(({ isMissed }) => isMissed);
  for (const { group, name } of missed) console.error(`Missed: ${group}, ${name}.`);
  const absent = positionals.length > 0 ? 0 : TARGETS.length - checked.length;
  if (absent > 0) console.error(`${absent} targets were not measured.`);
  if (missed.length > 0 || absent > 0) process.exitCode = 1;
}

async function write() {
  const results = { ...(await circumstances()), rows: rows.map(rounded) };
  await writeFile(new URL('results.json', import.meta.url), `${JSON.stringify(results, undefined, 2)}\n`);
  await writeFile(new URL('chart.svg', import.meta.url), chart(results));
}

/** Of all numbers, the four digits that count. @param {import('./report.js').Row} row @returns {import('./report.js').Row} */
function rounded(row) {
  return JSON.parse(JSON.stringify(row), (_, value) =>
    typeof value === 'number' ? Number(value.toPrecision(4)) : value,
  );
}
