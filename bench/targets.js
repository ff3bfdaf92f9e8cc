import { VERSIONS } from './nodes.js';

/** The groups of rows, in the order of the table. */
export const HEADINGS = {
  milliseconds: `How long a second launch takes, Node ${process.versions.node.split('.')[0]}`,
  launch: 'A second launch, from its start to its end: processor time',
  first: 'A first launch, from its start until it is the host: processor time',
  advice: 'What makes a second launch shorter: processor time',
  command: 'The command `socket-singleton send`: processor time',
  storm: '50 launches at one instant, until all have ended: time',
  deliveries: 'Launches that one warm process delivers per second',
  session: '150,000 lines of 27 bytes, written one by one: time',
  codec: 'Encoding and decoding: bytes per second',
  secure: 'The encrypted channel: bytes per second',
  memory: 'Memory of a host',
  growth: 'How the time for n of something grows: the exponent of n (1: in proportion, 2: quadratic)',
  size: 'What a bundle of the library is in size, gzipped',
  limit: 'What the least would cost that keeps the same promise',
};

export const BINDS = 'a script that binds first';
export const CONNECTS = 'a script that connects first';

/**
 * The promise for a row of the table.
 * @typedef {object} Target
 * @property {keyof typeof HEADINGS} group
 * @property {string} name
 * @property {string} [against] If there are several rows of that name.
 * @property {number} [atMost]
 * @property {number} [atLeast]
 * @property {true} [isOptional] It may be left out on some machines.
 */

/** @type {readonly Target[]} */
export const TARGETS = [
  ...VERSIONS.flatMap((version) => [
    // Node 20 takes longer to find and load a file.
    launch(`legacy(), Node ${version}`, BINDS, version === 20 ? 1.03 : 1),
    launch(`legacy(), Node ${version}`, CONNECTS, 1.08),
    launch(`json(), Node ${version}`, BINDS, 1.1),
    launch(`msgpack() and a secret, Node ${version}`, BINDS, 1.25),
  ]),
  { group: 'first', name: 'legacy()', atMost: 1.02, isOptional: true },
  { group: 'command', name: 'at a port', atMost: 1.25 },
  { group: 'command', name: 'at a pipe', atMost: 1.25, isOptional: true },
  { group: 'deliveries', name: 'legacy(), 1 at a time', atLeast: 0.9 },
  { group: 'deliveries', name: 'legacy(), 64 at a time', atLeast: 0.9 },
  { group: 'deliveries', name: 'json(), 1 at a time', atLeast: 0.9 },
  { group: 'deliveries', name: 'json(), 64 at a time', atLeast: 0.85 },
  { group: 'deliveries', name: 'msgpack() and a secret, 64 at a time', atLeast: 0.85 },
  { group: 'deliveries', name: 'to a host with [json(), legacy()], 1 at a time', atLeast: 0.95 },
  { group: 'deliveries', name: 'to a host with [json(), legacy()], 64 at a time', atLeast: 0.95 },
  { group: 'session', name: 'output of the host', atMost: 1.5 },
  { group: 'session', name: 'stdin of the launch', atMost: 1.5 },
  { group: 'codec', name: 'json(), 1 KiB', atLeast: 0.75 },
  { group: 'codec', name: 'json(), 32 KiB', atLeast: 0.75 },
  { group: 'codec', name: 'msgpack(), 20 B', atLeast: 0.9 },
  { group: 'codec', name: 'msgpack(), 1 KiB', atLeast: 0.9 },
  { group: 'codec', name: 'msgpack(), 32 KiB', atLeast: 0.9 },
  { group: 'codec', name: 'msgpack(), 1 MiB', atLeast: 0.9 },
  { group: 'secure', name: '1 MiB writes', atLeast: 0.85 },
  { group: 'memory', name: 'idle, with legacy()', atMost: 1.1 },
  { group: 'memory', name: 'per open connection, with legacy()', atMost: 1.15 },
  { group: 'memory', name: 'per open connection, with json()', atMost: 1.15 },
  { group: 'growth', name: 'listeners', atMost: 1 },
  { group: 'growth', name: 'pending launches', atMost: 1 },
  { group: 'growth', name: 'open sessions', atMost: 1 },
  // It holds host and client, because a launch can become the host; codecs and the other transports are loaded apart.
  { group: 'size', name: 'index.js', atMost: 21 },
];

/** @param {string} name @param {string} against @param {number} atMost @returns {Target} */
function launch(name, against, atMost) {
  return { group: 'launch', name, against, atMost, isOptional: true };
}

/**
 * The target of a row, and whether the median misses it.
 * @param {Pick<import('./report.js').Row, 'group' | 'name' | 'against' | 'value'>} row
 */
export function checkTarget(row) {
  const target = TARGETS.find(
    ({ group, name, against = row.against }) => group === row.group && name === row.name && against === row.against,
  );
  if (!target) return undefined;
  const { atMost = Infinity, atLeast = -Infinity } = target;
  // As it is printed.
  const value = Number(row.value.toFixed(2));
  // NaN counts as missed, too.
  return { ...target, isMissed: !(value <= atMost && value >= atLeast) };
}
