import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Packr } from 'msgpackr/pack';
import { bare, cut, documentOf, framed } from './codecs.js';
import { launch } from './cold-launch.js';
import { load, warmUp } from './deliveries.js';
import { rawPeer, singletonPeer } from './hosts.js';
import { race } from './in-process.js';
import { newEndpoint, scratch } from './endpoints.js';
import { Host, program } from './processes.js';
import { compare } from './report.js';
import { interleave } from './rounds.js';

/**
 * The cost of the least code that could keep a promise, against the yardstick of the promise: if it misses a target,
 * so must this package.
 * @param {import('./internals.js').Internals} internals
 * @param {import('./rounds.js').Budget} budget For all of it.
 */
export async function limits(internals, { seconds, fewest }) {
  const part = { seconds: seconds / 3, fewest };
  return [...(await cold(part)), await deadline(part), ...(await frames(internals, part))];
}

/** A script by hand that imports an empty file, and one that has a secret. @param {import('./rounds.js').Budget} budget */
async function cold(budget) {
  const folder = await scratch();
  await writeFile(join(folder, 'empty.mjs'), 'export {};');
  const imports = ['./empty.mjs', pathToFileURL(program('by-hand.js')).href];
  await writeFile(join(folder, 'three-files.mjs'), imports.map((file) => `import '${file}';\n`).join(''));
  const files = {
    'by hand': program('by-hand.js'),
    'cold launch, by hand, in three files': join(folder, 'three-files.mjs'),
    'cold launch, by hand, with a secret': program('by-hand-secret.js'),
  };
  /** @type {Host[]} */
  const hosts = [];
  /** @type {Record<string, () => Promise<number>>} */
  const contestants = {};
  try {
    for (const [name, file] of Object.entries(files)) {
      const { env } = await newEndpoint();
      const host = await Host.start([file], env);
      hosts.push(host);
      contestants[name] = () => launch(file, host, env);
    }
    const times = await interleave(contestants, { ...budget, warmUps: 0 });
    const row = (/** @type {string} */ name) =>
      compare({ group: 'limit', name, against: 'by hand', unit: 'ms' }, times(name), times('by hand'));
    return Object.keys(files).slice(1).map(row);
  } finally {
    for (const host of hosts) await host.stop();
  }
}

/** A delivery over raw net that a timer can end, by a client that also asks the system what ours must ask. @param {import('./rounds.js').Budget} budget */
async function deadline(budget) {
  const config = /** @type {const} */ ({ codec: 'legacy' });
  const what = { args: ['open', 'a file.txt', '--line', '3'] };
  const model = await singletonPeer(config, what);
  const raw = await rawPeer(model, config, what);
  const asking = await rawPeer(model, config, what, { asks: true });
  const bounded = async () => {
    const callbacks = new Set([() => {}]);
    const timer = setTimeout(() => callbacks.forEach((call) => call()), 10_000);
    await asking.deliver();
    clearTimeout(timer);
  };
  try {
    for (const deliver of [bounded, raw.deliver]) await warmUp(deliver);
    const rates = await interleave(
      {
        bounded: async () => (await load(bounded, 64)).rate,
        raw: async () => (await load(raw.deliver, 64)).rate,
      },
      budget,
    );
    const name = 'deliveries with a deadline, 64 at a time';
    return compare({ group: 'limit', name, against: 'raw net', unit: 'per s' }, rates('bounded'), rates('raw'));
  } finally {
    for (const { host } of [model, raw, asking]) await host.stop();
  }
}

/**
 * msgpackr in our frames, with none of the checks.
 * @param {import('./internals.js').Internals} internals
 * @param {import('./rounds.js').Budget} budget
 */
function frames(internals, budget) {
  const packr = new Packr({ useRecords: false });
  const ours = framed(internals, {
    serialize: (value) => packr.pack(value),
    deserialize: (bytes) => packr.unpack(bytes),
  });
  const theirs = bare(
    (value) => packr.pack(value),
    (bytes) => packr.unpack(bytes),
  );
  const pairs = [20, 1024].map((bytes) => {
    const value = documentOf(bytes);
    return {
      name: `msgpack in frames, unchecked, ${bytes} B`,
      against: 'bare msgpackr',
      amount: theirs.encode(value).length / 1e6,
      unit: 'MB/s',
      ours: () => ours.decode(cut(ours.encode(value), Infinity)),
      theirs: () => theirs.decode(cut(theirs.encode(value), Infinity)),
    };
  });
  return race('limit', pairs, budget);
}
