// What one would write by hand: whoever gets the endpoint listens, whoever does not hands its arguments over and exits.
import { connect, createServer } from 'node:net';

const where = JSON.parse(process.env['BENCH_WHERE'] ?? '');
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
