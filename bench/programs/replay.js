// The host's side of a recorded connection, over node:net.
import { createServer } from 'node:net';
import { replay } from '../recording.js';

const { BENCH_TURNS = '', BENCH_ENDPOINT = '', BENCH_DUTIES = '' } = process.env;
const turns = JSON.parse(BENCH_TURNS);
const duties = JSON.parse(BENCH_DUTIES);
const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
  replay(socket, turns, 'host', duties);
});
server.listen(JSON.parse(BENCH_ENDPOINT), () => process.send?.('ready'));
process.on('disconnect', () => process.exit());
