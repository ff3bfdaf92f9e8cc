import { newEndpoint } from '../endpoints.js';
import { interleave } from '../measure.js';
import { timesOf } from '../processes.js';
import { compareTimes, write } from './cold-launch.js';

const DIST = new URL('../../dist/index.js', import.meta.url).href;

/**
 * What a first launch pays because it connects before it binds, from its start until it is the host and exits: ours and a
 * script by hand, each against itself without the connect.
 * @param {import('../measure.js').Budget} budget
 */
export async function firstLaunch(budget) {
  const files = {
    ours: await write('first-connects', ours('tcp({ port })')),
    'ours, binds': await write('first-binds', ours('{ ...tcp({ port }), connectFirst: false }')),
    theirs: await write('first-by-hand-connects', [
      ...BY_HAND,
      `connect(port, '127.0.0.1').once('error', listen).once('connect', () => process.exit(1));`,
    ]),
    'theirs, binds': await write('first-by-hand-binds', [...BY_HAND, 'listen();']),
  };
  const launches = Object.entries(files).map(([name, file]) => {
    const launch = async () => timesOf(process.execPath, [file], (await newEndpoint()).env);
    return /** @type {const} */ ([name, launch]);
  });
  const times = await interleave(Object.fromEntries(launches), budget);
  const against = 'the same that only binds';
  return [
    compareTimes({ group: 'first', name: 'legacy()', against }, times('ours'), times('ours, binds')),
    compareTimes(
      { group: 'limit', name: 'a first launch of a script', against },
      times('theirs'),
      times('theirs, binds'),
    ),
  ];
}

const PORT = `const { port } = JSON.parse(process.env['BENCH_ENDPOINT']);`;

const BY_HAND = [
  `import { connect, createServer } from 'node:net';`,
  PORT,
  `const server = createServer(() => {});`,
  `const listen = () => server.listen(port, '127.0.0.1', () => process.exit());`,
];

/** @param {string} transport */
function ours(transport) {
  return [
    `import { Singleton, tcp } from '${DIST}';`,
    PORT,
    `await Singleton.acquire({ transport: ${transport} });`,
    `process.exit();`,
  ];
}
