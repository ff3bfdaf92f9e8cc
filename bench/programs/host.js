// A host that is configured by the environment and answers the questions of its parent.
import { Singleton } from '../../dist/index.js';
import { codecs, optionsAt } from '../endpoints.js';

/**
 * @typedef {object} HostConfig
 * @property {keyof codecs} codec
 * @property {keyof codecs} [first] Another codec, before this one.
 * @property {string} [secret]
 * @property {number} [listeners] Default: 1.
 * @property {boolean} [waits] Launches wait until all are answered.
 * @property {{ readonly line: string, readonly count: number }} [writes] To a launch that waits; or counts what it receives, if `args` is `in`.
 */

/** @type {HostConfig} */
const { codec, first, secret, listeners = 1, waits = false, writes } = JSON.parse(process.env['BENCH_CONFIG'] ?? '');
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
} else if (writes) {
  app.on('args', (args, client) => {
    if (args === 'in') return countStdin(client);
    for (let left = writes.count; left > 0; left -= 1) client.stdout.write(writes.line);
    client.exit();
  });
} else for (let count = 0; count < listeners; count += 1) app.on('args', () => {});
process.send?.('ready');

/** @param {import('../../dist/index.js').Client} client */
function countStdin(client) {
  let bytes = 0;
  client.stdin.on('data', (chunk) => (bytes += chunk.length));
  client.stdin.once('end', () => client.reply(bytes));
}
