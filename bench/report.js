import { cpus, release, totalmem } from 'node:os';
import { readFile } from 'node:fs/promises';
import { median, ratioOf } from './measure.js';
import { checkTarget, HEADINGS } from './targets.js';

/**
 * One line of the table: a ratio of ours to theirs, or a value with a unit.
 * @typedef {object} Row
 * @property {keyof typeof HEADINGS} group
 * @property {string} name What is measured…
 * @property {string} against …and what it is compared with; empty if `value` is not a ratio.
 * @property {number} value
 * @property {number} low
 * @property {number} high
 * @property {number} rounds
 * @property {string} unit That of both sides, or of the value.
 * @property {number} [ours] Medians.
 * @property {number} [theirs]
 * @property {string} [note]
 */

/**
 * The row for the numbers of two sides, round by round.
 * @param {Pick<Row, 'group' | 'name' | 'against' | 'unit' | 'note'>} what
 * @param {readonly number[]} ours
 * @param {readonly number[]} theirs
 * @returns {Row}
 */
export function compare(what, ours, theirs) {
  return { ...what, ...ratioOf(ours, theirs), rounds: ours.length, ours: median(ours), theirs: median(theirs) };
}

/**
 * Prints rows under the headings of their groups.
 * @param {readonly Row[]} rows
 */
export function print(rows) {
  for (const [group, heading] of Object.entries(HEADINGS)) {
    const own = rows.filter((row) => row.group === group);
    if (own.length > 0) console.log(`\n${heading}\n${own.map(line).join('\n')}`);
  }
}

/** @param {Row} row */
function line(row) {
  const { name, against, value, unit, ours, theirs, note } = row;
  const target = checkTarget(row);
  const sides = ours === undefined || theirs === undefined ? '' : `${digits(ours)} : ${digits(theirs)} ${unit}`;
  return [
    `  ${name.padEnd(50)} `,
    (against && `against ${against}`).padEnd(48),
    shown(value, row).padStart(9),
    (target ? boundOf(target, row) : '').padEnd(16),
    (target ? (target.isMissed ? 'MISSED' : 'met') : '').padEnd(6),
    [sides, note].filter(Boolean).join('; '),
  ]
    .join('  ')
    .trimEnd();
}

/**
 * In the unit of its row.
 * @param {import('./targets.js').Target} target
 * @param {Row} row
 */
export function boundOf({ atMost, atLeast = 0 }, row) {
  return atMost === undefined ? `at least ${shown(atLeast, row)}` : `at most ${shown(atMost, row)}`;
}

/** @param {number} value @param {Row} row */
export function shown(value, { against, unit }) {
  return against || unit === '' ? value.toFixed(2) : `${digits(value)} ${unit}`;
}

/** Three that count. @param {number} value */
function digits(value) {
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
