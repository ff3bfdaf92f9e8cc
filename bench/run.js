// npm run bench                      measures, and writes results.json and chart.svg
// npm run bench -- --check           measures, and fails if a target is missed
// npm run bench -- codecs memory     measures only these
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { chart } from './chart.js';
import { internals } from './internals.js';
import { nodeVersions } from './nodes.js';
import { channel } from './parts/channel.js';
import { codecs } from './parts/codecs.js';
import { coldLaunch } from './parts/cold-launch.js';
import { command } from './parts/command.js';
import { deliveries } from './parts/deliveries.js';
import { firstLaunch } from './parts/first-launch.js';
import { growth } from './parts/growth.js';
import { limits } from './parts/limits.js';
import { memory } from './parts/memory.js';
import { sessions } from './parts/sessions.js';
import { size } from './parts/size.js';
import { storm } from './parts/storm.js';
import { clearScratch } from './endpoints.js';
import { circumstances, print } from './report.js';
import { checkTarget, TARGETS } from './targets.js';

/** @type {Readonly<Record<string, () => Promise<readonly import('./report.js').Row[]>>>} */
const PARTS = {
  codecs: async () => codecs(await internals(), { seconds: 8, fewest: 5 }),
  channel: async () => channel(await internals(), { seconds: 2, fewest: 5 }),
  'cold-launch': async () => coldLaunch(nodes, { seconds: 43, fewest: 3 }),
  'first-launch': () => firstLaunch({ seconds: 6, fewest: 6 }),
  command: () => command({ seconds: 5, fewest: 4 }),
  limits: () => limits({ seconds: 3, fewest: 4 }),
  storm: () => storm({ seconds: 1, fewest: 1 }),
  deliveries: () => deliveries({ seconds: 15, fewest: 5 }),
  sessions: () => sessions({ seconds: 5, fewest: 3 }),
  memory: () => memory({ seconds: 6, fewest: 2 }),
  growth: () => growth({ seconds: 1, fewest: 1 }),
  size,
};

const { values, positionals } = parseArgs({ options: { check: { type: 'boolean' } }, allowPositionals: true });
const unknown = positionals.filter((name) => !Object.hasOwn(PARTS, name));
if (unknown.length > 0) throw new Error(`Expected of ${Object.keys(PARTS).join(', ')}; got ${unknown.join(', ')}.`);

const names = Object.keys(PARTS).filter((name) => positionals.length === 0 || positionals.includes(name));
const nodes = names.includes('cold-launch') ? await nodeVersions() : [];
const began = performance.now();
/** @type {import('./report.js').Row[]} */
const rows = [];
try {
  for (const name of names) {
    const from = performance.now();
    rows.push(...((await PARTS[name]?.()) ?? []));
    console.error(`${name}: ${Math.round((performance.now() - from) / 1000)} seconds`);
  }
} finally {
  await clearScratch();
}
console.error(`All: ${Math.round((performance.now() - began) / 1000)} seconds`);
print(rows);

const isWhole = positionals.length === 0;
const checked = rows.flatMap((row) => checkTarget(row) ?? []);
const absent = TARGETS.filter(
  ({ group, name }) => isWhole && !checked.some((one) => one.group === group && one.name === name),
);
if (isWhole && !values.check) await write();
if (absent.length > 0)
  console.log(`\nNot measured: ${absent.map(({ group, name }) => `${group}: ${name}`).join('; ')}.`);
console.log(`\n${checked.filter(({ isMissed }) => !isMissed).length} of ${checked.length} targets met`);
const isFailed = checked.some(({ isMissed }) => isMissed) || absent.some(({ isOptional }) => !isOptional);
if (values.check && isFailed) process.exitCode = 1;

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
