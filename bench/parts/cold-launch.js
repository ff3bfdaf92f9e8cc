import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { newEndpoint, scratch, transports } from '../endpoints.js';
import { SECRET } from '../hosts.js';
import { estimate, interleave } from '../measure.js';
import { findPython, hasBash, Host, program, timesOf } from '../processes.js';
import { compare } from '../report.js';
import { BINDS, CONNECTS } from '../targets.js';

export const ARGS = ['open', 'a file.txt', '--line', '3'];

const DIST = new URL('../../dist/', import.meta.url).href;
const WIRES = /** @type {const} */ ({
  'legacy()': { codec: 'legacy' },
  'json()': { codec: 'json' },
  'msgpack() and a secret': { codec: 'msgpack', secret: SECRET },
});

/**
 * A program that is launched again while it runs.
 * @typedef {object} Rival
 * @property {string} file
 * @property {Host} host
 * @property {import('../endpoints.js').Endpoint} endpoint
 * @property {string} [command] Default: Node.
 * @property {readonly string[]} [argv] Default: what each launch delivers.
 *
 * @typedef {import('../nodes.js').NodeVersion} NodeVersion
 * @typedef {(name: string) => readonly import('../processes.js').Times[]} Results
 */

/**
 * A second launch, from its start until it has exited and its arguments are delivered.
 * @param {readonly NodeVersion[]} nodes
 * @param {import('../measure.js').Budget} budget For all versions: this one has twice the time of another.
 */
export async function coldLaunch(nodes, { seconds, fewest }) {
  if (!hasBash) console.error('bash is not here: the time that passes is compared instead of processor time.');
  /** @type {Host[]} */
  const hosts = [];
  try {
    const common = await openCommon(hosts);
    const cached = Object.fromEntries(Object.entries(common).filter(([name]) => [BINDS, 'legacy()'].includes(name)));
    const own = await openOwn(hosts, common);
    const rows = [];
    for (const node of nodes) {
      const share = (node.isThis ? 2 : 1) / (nodes.length + 1);
      const contestants = {
        ...launches(common, node),
        ...(node.hasCache && launches(cached, node, { NODE_COMPILE_CACHE: await scratch() })),
        ...(node.isThis && launches(own, node)),
        ...(node.isThis && { nothing: () => timesOf(node.command, ['-e', '0']) }),
      };
      const times = await interleave(contestants, { seconds: seconds * share, fewest });
      rows.push(...versionRows(node, times), ...(node.isThis ? ownRows(node, Object.keys(own), times) : []));
    }
    return rows;
  } finally {
    for (const host of hosts) await host.stop();
  }
}

/** What each version launches. @param {Host[]} hosts */
async function openCommon(hosts) {
  const byHand = await open(program('by-hand.js'), await newEndpoint(), hosts);
  /** @type {Record<string, Rival>} */
  const rivals = { [BINDS]: byHand, [CONNECTS]: { ...byHand, file: program('connect-first.js') } };
  for (const [name, wire] of Object.entries(WIRES)) {
    const endpoint = await newEndpoint();
    rivals[name] = await open(await singleton(wire, endpoint), endpoint, hosts);
  }
  return rivals;
}

/** What this version alone launches. @param {Host[]} hosts @param {Readonly<Record<string, Rival>>} common */
async function openOwn(hosts, { 'legacy()': legacy }) {
  /** @type {Record<string, Rival>} */
  const rivals = { 'vscode-jsonrpc': await open(program('json-rpc.js'), await newEndpoint(), hosts) };
  const python = findPython();
  if (python) rivals['Python'] = await open(program('original.py'), await newEndpoint(), hosts, python);
  else console.error('python3 is not here: its row is left out.');
  if (transports.includes('pipe')) {
    const [bare, ours] = [await newEndpoint('pipe'), await newEndpoint('pipe')];
    rivals[`${BINDS}, on a pipe`] = await open(program('by-hand.js'), bare, hosts);
    rivals['legacy() on a pipe'] = await open(await singleton(WIRES['legacy()'], ours), ours, hosts);
  }
  if (!legacy) return rivals;
  const acquire = source(WIRES['legacy()'], legacy.endpoint);
  const rest = import.meta.resolve('zod');
  rivals['late'] = { ...legacy, file: await write('late', [`import '${rest}';`, ...acquire]) };
  rivals['early'] = { ...legacy, file: await write('early', [...acquire, `await import('${rest}');`]) };
  return rivals;
}

/**
 * The first launch.
 * @param {string} file
 * @param {import('../endpoints.js').Endpoint} endpoint
 * @param {Host[]} hosts Those to stop.
 * @param {string} [command]
 * @returns {Promise<Rival>}
 */
export async function open(file, endpoint, hosts, command) {
  const host = await Host.start([file], endpoint.env, command);
  hosts.push(host);
  return { file, host, endpoint, ...(command && { command }) };
}

/**
 * A second launch of each.
 * @param {Readonly<Record<string, Rival>>} rivals
 * @param {Pick<NodeVersion, 'command'>} node
 * @param {Readonly<Record<string, string>>} [env] If there is any, ` + cache` is added to the names.
 */
export function launches(rivals, node, env) {
  const entries = Object.entries(rivals).map(
    ([name, { file, host, endpoint, command = node.command, argv = ARGS }]) => {
      const launch = async () => {
        const exit = timesOf(command, [file, ...argv], { ...endpoint.env, ...env });
        const [times, delivered] = await Promise.all([exit, host.message()]);
        if (delivered !== ARGS.length)
          throw new Error(`Expected ${ARGS.length} arguments of ${file}, got ${delivered}.`);
        return times;
      };
      return /** @type {const} */ ([env ? `${name} + cache` : name, launch]);
    },
  );
  return Object.fromEntries(entries);
}

/**
 * Compares processor times, and notes the ratio of the times that pass.
 * @param {Pick<import('../report.js').Row, 'group' | 'name' | 'against'>} what
 * @param {readonly import('../processes.js').Times[]} ours
 * @param {readonly import('../processes.js').Times[]} theirs
 */
export function compareTimes(what, ours, theirs) {
  const wall = compare(
    { ...what, unit: 'ms' },
    ours.map((times) => times.wall),
    theirs.map((times) => times.wall),
  );
  if (!hasBash) return wall;
  const note = `time that passes: ${wall.value.toFixed(2)}`;
  return compare(
    { ...what, unit: 'ms', note },
    ours.map((times) => times.cpu),
    theirs.map((times) => times.cpu),
  );
}

/** @param {NodeVersion} node @param {Results} times */
function versionRows({ major, hasCache }, times) {
  const row = (/** @type {string} */ name, against = BINDS) =>
    compareTimes({ group: 'launch', name: `${name}, Node ${major}`, against }, times(name), times(against));
  const rows = [row('legacy()'), row('legacy()', CONNECTS), row('json()'), row('msgpack() and a secret')];
  if (!hasCache) return rows;
  const what = { name: `legacy() with NODE_COMPILE_CACHE, Node ${major}`, against: 'without it' };
  const cached = times('legacy() + cache');
  return [
    ...rows,
    compareTimes({ ...what, group: 'launch', against: `${BINDS}, with it` }, cached, times(`${BINDS} + cache`)),
    compareTimes({ ...what, group: 'advice' }, cached, times('legacy()')),
  ];
}

/** @param {NodeVersion} node @param {readonly string[]} names @param {Results} times */
function ownRows({ major }, names, times) {
  const programs = {
    'an empty program (node -e 0)': 'nothing',
    [BINDS]: BINDS,
    'socket-singleton, legacy()': 'legacy()',
    'socket-singleton, json()': 'json()',
    'socket-singleton, msgpack() and a secret': 'msgpack() and a secret',
    ...(names.includes('Python') && { 'Python, what its package does on the wire': 'Python' }),
    'vscode-jsonrpc': 'vscode-jsonrpc',
  };
  /** @type {import('../report.js').Row[]} */
  const rows = [];
  for (const [name, key] of Object.entries(programs)) {
    const walls = times(key).map(({ wall }) => wall);
    rows.push({ group: 'milliseconds', name, against: '', unit: 'ms', ...estimate(walls), rounds: walls.length });
  }
  const pipe = 'legacy() on a pipe';
  if (names.includes(pipe)) {
    const what = /** @type {const} */ ({
      group: 'launch',
      name: `${pipe}, Node ${major}`,
      against: `${BINDS}, on a pipe`,
    });
    rows.push(compareTimes(what, times(pipe), times(`${BINDS}, on a pipe`)));
  }
  const what = { name: `acquire() before the import of zod, Node ${major}`, against: 'after it' };
  return [...rows, compareTimes({ ...what, group: 'advice' }, times('early'), times('late'))];
}

/**
 * The program that a user would write, with imports and options as they stand in the README.
 * @param {{ readonly codec: 'legacy' | 'json' | 'msgpack', readonly secret?: string }} wire
 * @param {import('../endpoints.js').Endpoint} endpoint
 */
export async function singleton(wire, endpoint) {
  return write(`${wire.codec}${wire.secret ? '-secret' : ''}-${endpoint.transport}`, source(wire, endpoint));
}

/** @type {(...parameters: Parameters<typeof singleton>) => readonly string[]} */
function source({ codec, secret }, endpoint) {
  const { transport } = endpoint;
  const options = [at(endpoint), codec !== 'legacy' && `codec: ${codec}()`, secret && `secret: '${secret}'`];
  return [
    `import { Singleton } from '${DIST}index.js';`,
    codec === 'legacy' ? '' : `import { ${codec} } from '${DIST}codecs/${codec}.js';`,
    transport === 'tcp' ? '' : `import { ${transport} } from '${DIST}transports/${transport}.js';`,
    `const app = await Singleton.acquire({ ${options.filter(Boolean).join(', ')} });`,
    `app.on('args', (args) => process.send(args.length));`,
    `process.send('ready');`,
  ];
}

/** The option for an endpoint. @param {import('../endpoints.js').Endpoint} endpoint */
export function at({ transport, where }) {
  return 'port' in where ? `port: ${where.port}` : `transport: ${transport}(${JSON.stringify(where)})`;
}

/** @param {string} name @param {readonly string[]} lines */
export async function write(name, lines) {
  const file = join(await scratch(), `${name}.mjs`);
  await writeFile(file, lines.filter(Boolean).join('\n'));
  return file;
}
