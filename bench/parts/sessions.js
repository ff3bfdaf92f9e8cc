import { connect } from 'node:net';
import { once } from 'node:events';
import { PassThrough, Writable } from 'node:stream';
import { Singleton } from '../../dist/index.js';
import { json } from '../../dist/codecs/json.js';
import { newEndpoint, optionsAt } from '../endpoints.js';
import { singletonPeer } from '../hosts.js';
import { interleave } from '../measure.js';
import { Host, program } from '../processes.js';
import { compare } from '../report.js';

const LINE = 'a line of output, numbered\n';
const LINES = 150_000;
const BYTES = LINE.length * LINES;

/**
 * A session in which many lines are written one by one, against node:net that carries the same lines written one by one.
 * @param {import('../measure.js').Budget} budget For both directions.
 */
export async function sessions(budget) {
  const { host, endpoint } = await singletonPeer({ codec: 'json', writes: { line: LINE, count: LINES } }, { args: [] });
  const bare = await newEndpoint();
  const server = await Host.start([program('lines.js')], { ...bare.env, LINE, LINES: String(LINES) });
  try {
    const options = { ...(await optionsAt(endpoint.where)), codec: json(), wait: /** @type {const} */ (true) };
    const times = await interleave(
      {
        output: () => timed(() => receive(options)),
        'bare output': () => timed(() => receiveBare(bare.where)),
        stdin: () => timed(() => send(options)),
        'bare stdin': () => timed(() => sendBare(bare.where)),
      },
      budget,
    );
    const row = (/** @type {string} */ name, /** @type {string} */ key) =>
      compare({ group: 'session', name, against: 'raw net', unit: 'ms' }, times(key), times(`bare ${key}`));
    return [row('output of the host', 'output'), row('stdin of the launch', 'stdin')];
  } finally {
    await host.stop();
    await server.stop();
  }
}

/** Milliseconds until all bytes have passed. @param {() => Promise<number>} pass */
async function timed(pass) {
  const began = performance.now();
  const bytes = await pass();
  if (bytes !== BYTES) throw new Error(`Expected ${BYTES} bytes, got ${bytes}.`);
  return performance.now() - began;
}

/** @typedef {import('../../dist/index.js').SendOptions<any> & { readonly wait: true }} Options */

/** @param {Options} options */
async function receive(options) {
  let bytes = 0;
  const stdout = new Writable({
    write(chunk, _, done) {
      bytes += chunk.length;
      done();
    },
  });
  await Singleton.send({ ...options, args: 'out', stdout });
  return bytes;
}

/** @param {import('node:net').NetConnectOpts} where */
async function receiveBare(where) {
  let bytes = 0;
  const socket = connect(where, () => socket.end('o'));
  socket.on('data', (chunk) => (bytes += chunk.length));
  await once(socket, 'close');
  return bytes;
}

/** @param {Options} options */
async function send(options) {
  const stdin = new PassThrough();
  const sent = Singleton.send({ ...options, args: 'in', stdin });
  for (let left = LINES; left > 0; left -= 1) stdin.write(LINE);
  stdin.end();
  return Number((await sent).reply);
}

/** @param {import('node:net').NetConnectOpts} where */
async function sendBare(where) {
  let answer = '';
  const socket = connect(where);
  socket.setEncoding('utf8').on('data', (chunk) => (answer += chunk));
  await once(socket, 'connect');
  for (let left = LINES; left > 0; left -= 1) socket.write(LINE);
  socket.end();
  await once(socket, 'close');
  return Number(answer);
}
