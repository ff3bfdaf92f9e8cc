// A server of node:net: to a client that sends `o` it writes lines one by one; what another sends it counts.
import { createServer } from 'node:net';

const { LINE = '', LINES = '', BENCH_ENDPOINT = '' } = process.env;
const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
  let bytes = 0;
  socket.once('data', (first) => {
    if (first.toString() !== 'o') return;
    for (let count = 0; count < Number(LINES); count += 1) socket.write(LINE);
    socket.end();
  });
  socket.on('data', (chunk) => (bytes += chunk.length));
  socket.once('end', () => socket.writable && socket.end(String(bytes)));
});
server.listen(JSON.parse(BENCH_ENDPOINT), () => process.send?.('ready'));
process.on('disconnect', () => process.exit());
