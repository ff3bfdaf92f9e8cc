import { boundOf, shown } from './report.js';
import { checkTarget } from './targets.js';

/** @typedef {import('./report.js').Row} Row */

/** @type {readonly { title: string, hint: string, of: (row: Row) => boolean }[]} */
const PANELS = [
  {
    title: 'How long does a second launch take?',
    hint: 'milliseconds, shorter is better',
    of: ({ group }) => group === 'milliseconds',
  },
  {
    title: 'Deliveries per second of a warm process',
    hint: 'raw net = 1, longer is better',
    of: ({ group, against }) => group === 'deliveries' && against.startsWith('raw net'),
  },
  {
    title: '150,000 lines, written one by one',
    hint: 'time, raw net = 1, shorter is better',
    of: ({ group }) => group === 'session',
  },
  {
    title: 'Memory of a host',
    hint: 'raw net = 1, shorter is better',
    of: ({ group, against }) => group === 'memory' && against !== '',
  },
];

const WIDTH = 800;
const NAMES = 320;
const BARS = 320;
const LINE = 20;

/**
 * Bars in panels. Those of ratios have a line at 1 and a tick at the target, and are red if they miss it.
 * @param {Readonly<Awaited<ReturnType<typeof import('./report.js').circumstances>>> & { rows: readonly Row[] }} results
 */
export function chart({ rows, date, machine, versions }) {
  const parts = [];
  let y = 30;
  for (const { title, hint, of } of PANELS) {
    const own = rows.filter(of);
    const isRatio = own.some(({ against }) => against !== '');
    const bounds = own.map((row) => boundTo(row) ?? 0);
    const scale = BARS / Math.max(...own.map(({ value }) => value), ...bounds, isRatio ? 1.15 : 0);
    parts.push(text(16, y, `<tspan font-size="14" font-weight="600">${title}</tspan> (${hint})`));
    const top = y + 8;
    for (const row of own) parts.push(bar(row, (y += LINE), scale));
    if (isRatio) parts.push(line(NAMES + scale, top, NAMES + scale, y + 8, '#57606a', 'stroke-dasharray="3 3"'));
    y += 38;
  }
  const system = `${machine.cpu}, ${machine.cores} cores, ${machine.system}; Node ${versions.node}; ${date}`;
  const key = 'blue line: the target; red bar: it is missed';
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y + 6}" font-family="sans-serif" font-size="12" fill="#1f2328">
<title>How long a second launch takes, and what the rest costs</title>
<rect width="${WIDTH}" height="${y + 6}" rx="8" fill="#fff"/>
${parts.join('\n')}
${text(16, y - 10, escaped(`${system}; ${key}`), 'font-size="11" fill="#57606a"')}
</svg>
`;
}

/** @param {Row} row @param {number} y @param {number} scale */
function bar(row, y, scale) {
  const { name, value } = row;
  const target = checkTarget(row);
  const bound = boundTo(row);
  const label = shown(value, row);
  return [
    text(NAMES - 8, y + 4, escaped(name), 'text-anchor="end"'),
    `<rect x="${NAMES}" y="${y - 7}" width="${(value * scale).toFixed(1)}" height="14" fill="${colourOf(row)}"/>`,
    bound === undefined
      ? ''
      : line(NAMES + bound * scale, y - 9, NAMES + bound * scale, y + 9, '#0969da', 'stroke-width="3"'),
    text(NAMES + BARS + 12, y + 4, target ? `${label} (${boundOf(target, row)})` : label),
  ].join('');
}

/** @param {Row} row */
function boundTo(row) {
  const target = checkTarget(row);
  return target?.atMost ?? target?.atLeast;
}

/** Ours are green, others grey. @param {Row} row */
function colourOf(row) {
  if (checkTarget(row)?.isMissed) return '#cf222e';
  return row.group !== 'milliseconds' || row.name.startsWith('socket-singleton') ? '#1a7f37' : '#8c959f';
}

/** @param {string} content */
function escaped(content) {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}

/** @param {number} x @param {number} y @param {string} content */
function text(x, y, content, attributes = '') {
  return `<text x="${x}" y="${y}" ${attributes}>${content}</text>`;
}

/** @param {number} x1 @param {number} y1 @param {number} x2 @param {number} y2 @param {string} colour */
function line(x1, y1, x2, y2, colour, attributes = '') {
  const [from, to] = [x1, x2].map((x) => x.toFixed(1));
  return `<line x1="${from}" y1="${y1}" x2="${to}" y2="${y2}" stroke="${colour}" ${attributes}/>`;
}
