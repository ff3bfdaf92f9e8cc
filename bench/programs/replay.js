// The host's side of a recorded conversation, over node:net.
import { createServer } from 'node:net';
import { play } from '../recording.js';

const turns = JSON.parse(process.env['BENCH_TURNS'] ?? '');
const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => play(socket, turns, 'host'));
server.listen(JSON.parse(process.env['BENCH_WHERE'] ?? ''), () => process.send?.('ready'));
process.on('disconnect', () => process.exit());
