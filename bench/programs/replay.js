// The host's side of a recorded connection, over node:net.
import { createServer } from 'node:net';
import { Cryptography, replay } from '../recording.js';

const { BENCH_TURNS = '', BENCH_ENDPOINT = '', BENCH_ENCRYPTS } = process.env;
const turns = JSON.parse(BENCH_TURNS);
const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
  replay(socket, turns, 'host', BENCH_ENCRYPTS ? new Cryptography() : undefined);
});
server.listen(JSON.parse(BENCH_ENDPOINT), () => process.send?.('ready'));
process.on('disconnect', () => process.exit());
