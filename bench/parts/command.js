import { fileURLToPath } from 'node:url';
import { newEndpoint, transports } from '../endpoints.js';
import { interleave } from '../measure.js';
import { ARGS, at, compareTimes, launches, open, singleton, write } from './cold-launch.js';

const DIST = new URL('../../dist/', import.meta.url).href;
const COMMAND = fileURLToPath(new URL('cli/index.js', DIST));

/**
 * `socket-singleton send` to a running host, from its start to its end, against a script by hand that does the same with the library.
 * @param {import('../measure.js').Budget} budget
 */
export async function command({ seconds, fewest }) {
  const rows = [];
  for (const transport of transports)
    rows.push(await measure(transport, { seconds: seconds / transports.length, fewest }));
  return rows;
}

/**
 * @param {import('../endpoints.js').Endpoint['transport']} transport
 * @param {import('../measure.js').Budget} budget
 */
async function measure(transport, budget) {
  const endpoint = await newEndpoint(transport);
  const isTcp = transport === 'tcp';
  /** @type {import('../processes.js').Host[]} */
  const hosts = [];
  try {
    // What the command uses by default.
    const { host } = await open(await singleton({ codec: isTcp ? 'legacy' : 'json' }, endpoint), endpoint, hosts);
    const byHand = await write(`send-${transport}`, [
      `import { Singleton } from '${DIST}index.js';`,
      isTcp ? '' : `import { json } from '${DIST}codecs/json.js';`,
      isTcp ? '' : `import { pipe } from '${DIST}transports/pipe.js';`,
      `await Singleton.send({ ${at(endpoint)}${isTcp ? '' : ', codec: json()'} });`,
    ]);
    const operand = 'port' in endpoint.where ? `tcp://127.0.0.1:${endpoint.where.port}` : (endpoint.where.path ?? '');
    const node = { command: process.execPath };
    const contestants = {
      ...launches({ command: { file: COMMAND, host, endpoint, argv: ['send', '--', ...ARGS, operand] } }, node),
      ...launches({ 'by hand': { file: byHand, host, endpoint } }, node),
    };
    const times = await interleave(contestants, budget);
    const what = { name: isTcp ? 'at a port' : 'at a pipe', against: 'a script with the library' };
    return compareTimes({ ...what, group: 'command' }, times('command'), times('by hand'));
  } finally {
    for (const host of hosts) await host.stop();
  }
}
