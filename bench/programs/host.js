// A host that is configured by the environment and answers the questions of its parent.
import { Singleton } from '../../dist/index.js';
import { codecs } from '../codecs-by-name.js';
import { optionsAt } from '../endpoints.js';

/**
 * @typedef {object} HostConfig
 * @property {keyof codecs} codec
 * @property {keyof codecs} [first] Another codec, before this one.
 * @property {string} [secret]
 * @property {number} [listeners] Default: 1.
 * @property {boolean} [waits] Launches wait until all are answered.
 */

/** @type {HostConfig} */
const { codec, first, secret, listeners = 1, waits = false } = JSON.parse(process.env['BENCH_CONFIG'] ?? '');
const app = new Singleton({
  ...(await optionsAt(JSON.parse(process.env['BENCH_ENDPOINT'] ?? ''))),
  codec: [await codecs[first ?? codec](), ...(first ? [await codecs[codec]()] : [])],
  args: [],
  secret,
  maxMessageBytes: 2 ** 21,
  maxConnections: 20_000,
  maxPending: 20_000,
  receiveTimeout: 120_000,
});
app.setMaxListeners(0);
/** @type {import('../../dist/index.js').Client[]} */
const open = [];

const answers = {
  /** Answered by memory.js. */
  memory() {},
  /** Dispatches all pending launches, then answers. */
  dispatch() {
    app.on('args', () => {});
    setImmediate(() => process.send?.(app.clients));
  },
  /** Sends its result to every waiting client. */
  reply() {
    for (const client of open.splice(0)) client.reply('done');
    process.send?.(app.clients);
  },
};
process.on('message', (/** @type {keyof answers} */ question) => answers[question]());
process.on('disconnect', () => process.exit());

await app.acquire();
if (waits) {
  app.on('args', (_, client) => {
    open.push(client);
    process.send?.(open.length);
    return new Promise(() => {});
  });
} else for (let count = 0; count < listeners; count += 1) app.on('args', () => {});
process.send?.('ready');
