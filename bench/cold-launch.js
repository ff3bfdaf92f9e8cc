import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SECRET } from './hosts.js';
import { newEndpoint, scratch, transports } from './endpoints.js';
import { Host, program, timeToExit } from './processes.js';
import { compare } from './report.js';
import { interleave } from './rounds.js';

export const ARGS = ['open', 'a file.txt', '--line', '3'];

const CODECS = /** @type {const} */ ([
  { name: 'legacy', codec: 'legacy' },
  { name: 'json', codec: 'json' },
  { name: 'msgpack', codec: 'msgpack' },
  { name: 'msgpack + secret', codec: 'msgpack', secret: SECRET },
]);

/**
 * A second launch, from its spawn until it has exited and its arguments are delivered: ours against a script by hand.
 * @param {import('./rounds.js').Budget} budget
 */
export async function coldLaunch(budget) {
  /** @type {Host[]} */
  const hosts = [];
  /** @type {Record<string, () => Promise<number>>} */
  const contestants = {};
  /** @type {(name: string, file: string, endpoint: import('./endpoints.js').Endpoint) => Promise<void>} */
  const enter = async (name, file, { env }) => {
    const host = await Host.start([file], env);
    hosts.push(host);
    contestants[name] = () => launch(file, host, env);
  };
  try {
    for (const transport of transports()) {
      const byHand = await newEndpoint(transport);
      await enter(`by hand, ${transport}`, program('by-hand.js'), byHand);
      for (const one of CODECS) {
        const endpoint = await newEndpoint(transport);
        await enter(`${one.name}, ${transport}`, await singleton(one, endpoint), endpoint);
      }
    }
    await enter('vscode-jsonrpc, tcp', program('json-rpc.js'), await newEndpoint());
    const times = await interleave({ nothing: () => timeToExit(['-e', '0']), ...contestants }, budget);
    return rows(Object.keys(contestants), times);
  } finally {
    for (const host of hosts) await host.stop();
  }
}

/**
 * @param {readonly string[]} names
 * @param {(name: string) => readonly number[]} times
 */
function rows(names, times) {
  return names.flatMap((name) => {
    const toNothing = { group: 'cold launch, to nothing', name, against: 'node -e 0', unit: 'ms' };
    const byHand = `by hand, ${name.split(', ')[1]}`;
    const row = compare(toNothing, times(name), times('nothing'));
    if (name === byHand) return [row];
    return [compare({ group: 'cold launch', name, against: 'by hand', unit: 'ms' }, times(name), times(byHand)), row];
  });
}

/**
 * @param {string} file
 * @param {Host} host
 * @param {Readonly<Record<string, string>>} env
 */
export async function launch(file, host, env) {
  const began = performance.now();
  const [, delivered] = await Promise.all([timeToExit([file, ...ARGS], env), host.message()]);
  const took = performance.now() - began;
  if (delivered !== ARGS.length) throw new Error(`Expected ${ARGS.length} arguments of ${file}, got ${delivered}.`);
  return took;
}

/**
 * The program that a user would write, with imports and options as they stand in the README.
 * @param {typeof CODECS[number] & { readonly secret?: string }} what
 * @param {import('./endpoints.js').Endpoint} endpoint
 */
export async function singleton({ codec, secret }, { transport, where }) {
  const dist = new URL('../dist/', import.meta.url).href;
  const at =
    transport === 'tcp'
      ? `port: ${'port' in where && where.port}`
      : `transport: ${transport}(${JSON.stringify(where)})`;
  const lines = [
    `import { Singleton } from '${dist}index.js';`,
    codec !== 'legacy' && `import { ${codec} } from '${dist}codecs/${codec}.js';`,
    transport !== 'tcp' && `import { ${transport} } from '${dist}transports/${transport}.js';`,
    `const app = await Singleton.acquire({ ${at}, codec: ${codec}(), secret: ${JSON.stringify(secret)} });`,
    `app.on('args', (args) => process.send(args.length));`,
    `process.send('ready');`,
  ];
  const file = join(await scratch(), `${codec}${secret ? '-secret' : ''}-${transport}.mjs`);
  await writeFile(
    file,
    lines.filter(Boolean).join('\n').replace(', codec: legacy()', '').replace(', secret: undefined', ''),
  );
  return file;
}
