import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * A free endpoint for one host and its clients.
 * @typedef {object} Endpoint
 * @property {'tcp' | 'pipe'} transport
 * @property {import('node:net').NetConnectOpts} where As node:net expects it.
 * @property {Readonly<Record<string, string>>} env As the programs of this folder expect it: `BENCH_ENDPOINT`.
 */

/** @type {readonly Endpoint['transport'][]} */
export const transports = process.platform === 'win32' ? ['tcp'] : ['tcp', 'pipe'];

/**
 * Each is loaded only if it is used.
 * @type {Record<'legacy' | 'json' | 'msgpack', () => Promise<import('../dist/index.js').Codec<any>>>}
 */
export const codecs = {
  legacy: async () => (await import('../dist/index.js')).legacy(),
  json: async () => (await import('../dist/codecs/json.js')).json(),
  msgpack: async () => (await import('../dist/codecs/msgpack.js')).msgpack(),
};

/** @type {Promise<string> | undefined} */
let folder;
let endpoints = 0;

/** A folder that is removed when the benchmark ends. */
export function scratch() {
  folder ??= mkdtemp(join(tmpdir(), 'bench-'));
  return folder;
}

export async function clearScratch() {
  await rm(await scratch(), { recursive: true, force: true });
}

/** @param {Endpoint['transport']} [transport] @returns {Promise<Endpoint>} */
export async function newEndpoint(transport = 'tcp') {
  endpoints += 1;
  const where =
    transport === 'tcp'
      ? { host: '127.0.0.1', port: await freePort() }
      : { path: join(await scratch(), `${endpoints}.sock`) };
  return { transport, where, env: { BENCH_ENDPOINT: JSON.stringify(where) } };
}

/**
 * The options of a `Singleton` there.
 * @param {import('node:net').NetConnectOpts} where
 * @returns {Promise<{ transport: import('../dist/index.js').Transport }>}
 */
export async function optionsAt(where) {
  const { tcp } = await import('../dist/index.js');
  if ('port' in where) return { transport: tcp({ port: where.port }) };
  const { pipe } = await import('../dist/transports/pipe.js');
  return { transport: pipe(where) };
}

/** Below the range that systems lend to outgoing connections. @returns {Promise<number>} */
async function freePort() {
  const port = 10_000 + Math.trunc(Math.random() * 22_768);
  const server = createServer().listen({ host: '127.0.0.1', port, exclusive: true });
  const isFree = await new Promise((resolve) => {
    server.once('listening', () => resolve(true)).once('error', () => resolve(false));
  });
  if (!isFree) return freePort();
  server.close();
  await once(server, 'close');
  return port;
}
