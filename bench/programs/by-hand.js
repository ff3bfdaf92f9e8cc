// A script by hand: the process that binds the endpoint listens, and a later one sends its arguments and exits.
import { connect, createServer } from 'node:net';

const where = JSON.parse(process.env['BENCH_ENDPOINT'] ?? '');
const server = createServer((socket) => {
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk) => (text += chunk));
  socket.on('end', () => process.send?.(text.split('\0').length - 1));
});
server.once('error', () => {
  const socket = connect(where).once('close', () => process.exit());
  socket.resume().end(`${process.argv.slice(2).join('\0')}\0`);
});
server.listen(where, () => process.send?.('ready'));
