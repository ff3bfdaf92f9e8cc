import { digits } from './report.js';
import { checkTarget } from './targets.js';

const PANELS = [
  { group: 'cold launch', title: 'Cold launch, a script by hand = 1', better: 'shorter' },
  { group: 'deliveries per second', title: 'Deliveries per second, raw net = 1', better: 'longer' },
  { group: 'codec', title: 'Encode and decode, without checks = 1', better: 'longer' },
  { group: 'secure channel', title: 'Secure channel, bare node:crypto = 1', better: 'longer' },
  { group: 'memory per open connection', title: 'Memory per open connection, raw net = 1', better: 'shorter' },
  { group: 'peak memory, 64 × 1 MiB', title: 'Peak while 64 MiB pass, raw net = 1', better: 'shorter' },
  { group: 'storm', title: '200 launches at one instant, 200 × node -e 0 = 1', better: 'shorter' },
];

const WIDTH = 760;
const NAMES = 230;
const BARS = 400;
const LINE = 20;

/**
 * Bars for ratios: a tick at the target, a line at 1, and a whisker for the noise.
 * @param {Readonly<Awaited<ReturnType<typeof import('./report.js').circumstances>>> & { rows: readonly import('./report.js').Row[] }} results
 */
export function chart({ rows, date, machine, versions }) {
  const parts = [];
  let y = 56;
  for (const { group, title, better } of PANELS) {
    const own = rows.filter((row) => row.group === group);
    const scale = BARS / Math.max(...own.map(({ high }) => high), 1.15);
    parts.push(text(16, y, `${title}: ${better} is better`, 'font-weight="600"'));
    const top = y + 8;
    for (const row of own) parts.push(bar(row, (y += LINE), scale));
    parts.push(line(NAMES + scale, top, NAMES + scale, y + 6, '#57606a', 'stroke-dasharray="3 3"'));
    y += 36;
  }
  const system = `${machine.cpu}, ${machine.cores} cores, ${machine.system}; Node ${versions.node}; ${date}`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" font-family="sans-serif" font-size="12" fill="#1f2328">
<title>socket-singleton against the limit</title>
<rect width="${WIDTH}" height="${y}" rx="8" fill="#fff"/>
${text(16, 26, 'Against the limit, and against what one would use instead', 'font-size="15" font-weight="600"')}
${parts.join('\n')}
${text(16, y - 12, system, 'fill="#57606a"')}
</svg>
`;
}

/** @param {import('./report.js').Row} row @param {number} y @param {number} scale */
function bar(row, y, scale) {
  const { name, value, low, high } = row;
  const target = checkTarget(row);
  const colour = target === undefined ? '#8c959f' : target.isMissed ? '#cf222e' : '#1a7f37';
  const at = (/** @type {number} */ ratio) => NAMES + ratio * scale;
  const bound = target && at(target.atMost ?? target.atLeast ?? 0);
  const wanted = target && (target.atMost === undefined ? ` (≥ ${target.atLeast})` : ` (≤ ${target.atMost})`);
  return [
    text(NAMES - 8, y + 4, name, 'text-anchor="end"'),
    `<rect x="${NAMES}" y="${y - 7}" width="${(value * scale).toFixed(1)}" height="14" fill="${colour}"/>`,
    line(at(low), y, at(high), y, '#1f2328'),
    bound === undefined ? '' : line(bound, y - 9, bound, y + 9, '#0969da', 'stroke-width="3"'),
    text(NAMES + BARS + 16, y + 4, `${digits(value)}${wanted ?? ''}`),
  ].join('');
}

/** @param {number} x @param {number} y @param {string} content */
function text(x, y, content, attributes = '') {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text x="${x}" y="${y}" ${attributes}>${escaped}</text>`;
}

/** @param {number} x1 @param {number} y1 @param {number} x2 @param {number} y2 @param {string} colour */
function line(x1, y1, x2, y2, colour, attributes = '') {
  const [from, to] = [x1, x2].map((x) => x.toFixed(1));
  return `<line x1="${from}" y1="${y1}" x2="${to}" y2="${y2}" stroke="${colour}" ${attributes}/>`;
}
