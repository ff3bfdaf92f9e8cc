/**
 * The promise for a comparison, by its names in the table.
 * @typedef {object} Target
 * @property {string} group
 * @property {string} name
 * @property {number} [atMost]
 * @property {number} [atLeast]
 */

/** @type {readonly Target[]} */
export const TARGETS = [
  { group: 'cold launch', name: 'legacy, tcp', atMost: 1.1 },
  { group: 'cold launch', name: 'msgpack + secret, tcp', atMost: 1.35 },
  { group: 'command', name: 'send, tcp', atMost: 1.25 },
  { group: 'command', name: 'send, pipe', atMost: 1.25 },
  { group: 'deliveries per second', name: 'legacy, tcp, 1 at a time', atLeast: 0.9 },
  { group: 'deliveries per second', name: 'legacy, tcp, 64 at a time', atLeast: 0.9 },
  { group: 'deliveries per second', name: 'json, tcp, 1 at a time', atLeast: 0.6 },
  { group: 'deliveries per second', name: 'json, tcp, 64 at a time', atLeast: 0.6 },
  {
    group: 'deliveries per second',
    name: 'legacy, at a host with [json(), legacy()], 1 at a time',
    atLeast: 0.97,
  },
  {
    group: 'deliveries per second',
    name: 'legacy, at a host with [json(), legacy()], 64 at a time',
    atLeast: 0.97,
  },
  { group: 'codec', name: 'json, 1 KiB', atLeast: 0.75 },
  { group: 'codec', name: 'json, 32 KiB', atLeast: 0.75 },
  { group: 'codec', name: 'msgpack, 20 B', atLeast: 0.9 },
  { group: 'codec', name: 'msgpack, 1 KiB', atLeast: 0.9 },
  { group: 'codec', name: 'msgpack, 32 KiB', atLeast: 0.9 },
  { group: 'codec', name: 'msgpack, 1 MiB', atLeast: 0.9 },
  { group: 'secure channel', name: '1 MiB writes', atLeast: 0.7 },
  { group: 'memory per open connection', name: 'legacy', atMost: 1.3 },
  { group: 'memory per open connection', name: 'json', atMost: 1.3 },
  { group: 'growth', name: 'listeners', atMost: 1.1 },
  { group: 'growth', name: 'pending launches', atMost: 1.1 },
  { group: 'growth', name: 'open sessions', atMost: 1.1 },
  // 8 until names were kept for stack traces, and line ends.
  { group: 'size', name: 'index.js, gzipped', atMost: 11 },
];

/**
 * The target of a comparison, and whether it is missed by more than the noise.
 * @param {Pick<import('./report.js').Row, 'group' | 'name' | 'low' | 'high'>} row
 */
export function checkTarget(row) {
  const target = TARGETS.find(({ group, name }) => group === row.group && name === row.name);
  if (!target) return undefined;
  const { atMost = Infinity, atLeast = -Infinity } = target;
  // NaN counts as missed, too.
  return { ...target, isMissed: !(row.low <= atMost && row.high >= atLeast) };
}
