import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ARGS, singleton } from './cold-launch.js';
import { newEndpoint, scratch, transports } from './endpoints.js';
import { Host, timeToExit } from './processes.js';
import { compare } from './report.js';
import { interleave } from './rounds.js';

const COMMAND = fileURLToPath(new URL('../dist/cli/index.js', import.meta.url));

/**
 * `socket-singleton send` to a running host, from its spawn to its exit, against a script by hand that does the same with the library.
 * @param {import('./rounds.js').Budget} budget
 */
export async function command(budget) {
  const rows = [];
  for (const transport of transports()) rows.push(await measure(transport, budget));
  return rows;
}

/**
 * @param {import('./endpoints.js').Endpoint['transport']} transport
 * @param {import('./rounds.js').Budget} budget
 */
async function measure(transport, { seconds, fewest }) {
  const endpoint = await newEndpoint(transport);
  // What the command uses by default.
  const what =
    transport === 'tcp'
      ? /** @type {const} */ ({ name: 'legacy', codec: 'legacy' })
      : /** @type {const} */ ({ name: 'json', codec: 'json' });
  const host = await Host.start([await singleton(what, endpoint)]);
  try {
    const byHand = await script(endpoint);
    const operand = 'port' in endpoint.where ? `tcp://127.0.0.1:${endpoint.where.port}` : (endpoint.where.path ?? '');
    /** @type {(argv: readonly string[]) => () => Promise<number>} */
    const launch = (argv) => async () => {
      const [took, delivered] = await Promise.all([timeToExit(argv), host.message()]);
      if (delivered !== ARGS.length) throw new Error(`Expected ${ARGS.length} arguments, got ${delivered}.`);
      return took;
    };
    const contestants = {
      command: launch([COMMAND, 'send', '--', ...ARGS, operand]),
      'by hand': launch([byHand, ...ARGS]),
    };
    const times = await interleave(contestants, { seconds: seconds / transports().length, fewest });
    const row = { group: 'command', name: `send, ${transport}`, against: 'a script with the library', unit: 'ms' };
    return compare(row, times('command'), times('by hand'));
  } finally {
    await host.stop();
  }
}

/**
 * What a user would write instead of the command.
 * @param {import('./endpoints.js').Endpoint} endpoint
 */
async function script({ transport, where }) {
  const dist = new URL('../dist/', import.meta.url).href;
  const isTcp = transport === 'tcp';
  const at = isTcp ? `port: ${'port' in where && where.port}` : `transport: ${transport}(${JSON.stringify(where)})`;
  const lines = [
    `import { Singleton } from '${dist}index.js';`,
    !isTcp && `import { ${transport} } from '${dist}transports/${transport}.js';`,
    isTcp
      ? `await Singleton.send({ ${at} });`
      : `import { json } from '${dist}codecs/json.js';\nawait Singleton.send({ ${at}, codec: json() });`,
  ];
  const file = join(await scratch(), `send-${transport}.mjs`);
  await writeFile(file, lines.filter(Boolean).join('\n'));
  return file;
}
