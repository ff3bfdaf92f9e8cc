// A host that does what its orders, in the environment, say; it tells what it was asked.
import { Singleton } from '../../dist/index.js';
import { codecs } from '../codecs-by-name.js';
import { optionsAt } from '../endpoints.js';

/**
 * @typedef {object} Orders
 * @property {keyof codecs} codec
 * @property {string} [secret]
 * @property {number} [listeners] 1, unless it says otherwise.
 * @property {boolean} [waits] Launches stay until all are answered.
 */

/** @type {Orders} */
const { codec, secret, listeners = 1, waits = false } = JSON.parse(process.env['BENCH_ORDERS'] ?? '');
const app = new Singleton({
  ...(await optionsAt(JSON.parse(process.env['BENCH_WHERE'] ?? ''))),
  codec: await codecs[codec](),
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
  /** Told by memory.js. */
  memory() {},
  /** Takes what waits; done when all is taken. */
  take() {
    app.on('args', () => {});
    setImmediate(() => process.send?.(app.clients));
  },
  /** Says the last word to all. */
  reply() {
    for (const client of open.splice(0)) client.reply('done');
    process.send?.(app.clients);
  },
};
process.on('message', (/** @type {keyof answers} */ order) => answers[order]());
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
