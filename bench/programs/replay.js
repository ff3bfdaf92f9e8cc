// The host's side of a recorded connection, over node:net.
import { createServer } from 'node:net';
import { replay } from '../recording.js';

const turns = JSON.parse(process.env['BENCH_TURNS'] ?? '');
const asks = 'BENCH_ASKS' in process.env;
const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
  if (asks) socket.on('end', () => socket.remoteAddress);
  replay(socket, turns, 'host');
});
server.listen(JSON.parse(process.env['BENCH_ENDPOINT'] ?? ''), () => process.send?.('ready'));
process.on('disconnect', () => process.exit());
