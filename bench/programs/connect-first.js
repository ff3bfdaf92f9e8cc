// by-hand.js in the other order: it sends its arguments to the process that listens, and listens if there is none.
import { connect, createServer } from 'node:net';

const where = JSON.parse(process.env['BENCH_ENDPOINT'] ?? '');
const socket = connect(where)
  .once('error', listen)
  .once('end', () => process.exit());
socket.resume().end(`${process.argv.slice(2).join('\0')}\0`);

function listen() {
  const server = createServer((client) => {
    let text = '';
    client.setEncoding('utf8').on('data', (chunk) => (text += chunk));
    client.on('end', () => process.send?.(text.split('\0').length - 1));
  });
  server.listen(where, () => process.send?.('ready'));
}
