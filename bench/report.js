import { cpus, release, totalmem } from 'node:os';
import { readFile } from 'node:fs/promises';
import { ratioOf, summarize } from './ratio.js';
import { checkTarget } from './targets.js';

/**
 * One line of the table. `value` is ours over theirs; what else it can be, `unit` says.
 * @typedef {object} Row
 * @property {string} group What is compared…
 * @property {string} name …of which kind…
 * @property {string} against …with what.
 * @property {number} value
 * @property {number} low
 * @property {number} high
 * @property {number} rounds
 * @property {string} unit That of both sides.
 * @property {import('./ratio.js').Summary} [ours]
 * @property {import('./ratio.js').Summary} [theirs]
 */

/**
 * The row for the numbers of two sides, round by round.
 * @param {Pick<Row, 'group' | 'name' | 'against' | 'unit'>} what
 * @param {readonly number[]} ours
 * @param {readonly number[]} theirs
 * @returns {Row}
 */
export function compare(what, ours, theirs) {
  const summaries = { ours: summarize(ours), theirs: summarize(theirs) };
  return { ...what, ...ratioOf(ours, theirs), rounds: ours.length, ...summaries };
}

/** @param {readonly Row[]} rows */
export function print(rows) {
  for (const row of rows) {
    const target = checkTarget(row);
    const bound = target && (target.atMost === undefined ? `≥ ${target.atLeast}` : `≤ ${target.atMost}`);
    const verdict = target ? `${bound} ${target.isMissed ? 'MISSED' : 'met'}` : '';
    const interval = row.low === row.high ? '' : `${digits(row.low)} – ${digits(row.high)}`;
    console.log(
      `${row.group.padEnd(27)} ${row.name.padEnd(35)} ${digits(row.value).padStart(6)}  ${interval.padEnd(15)} ` +
        `${sides(row).padEnd(38)} ${verdict}`,
    );
  }
}

/** @param {Row} row */
function sides({ ours, theirs, unit, against }) {
  if (!ours || !theirs) return unit;
  return `${digits(ours.median)} : ${digits(theirs.median)} ${unit} (${against})`;
}

/** Three that count. @param {number} value */
export function digits(value) {
  return value >= 100 ? value.toFixed() : value.toPrecision(3);
}

/** On what it was measured. */
export async function circumstances() {
  const { node, v8, openssl } = process.versions;
  const versions = { node, v8, openssl };
  for (const name of ['socket-singleton', 'msgpackr', 'tinybench', 'vscode-jsonrpc']) {
    const folder = name === 'socket-singleton' ? '..' : `../node_modules/${name}`;
    const { version } = JSON.parse(await readFile(new URL(`${folder}/package.json`, import.meta.url), 'utf8'));
    Object.assign(versions, { [name]: version });
  }
  const machine = {
    cpu: cpus()[0]?.model.trim(),
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${release()} ${process.arch}`,
  };
  return { date: new Date().toISOString().slice(0, 10), machine, versions };
}
