// The same with a general IPC package.
import { connect, createServer } from 'node:net';
import { createMessageConnection, SocketMessageReader, SocketMessageWriter } from 'vscode-jsonrpc/node';

const where = JSON.parse(process.env['BENCH_ENDPOINT'] ?? '');
const server = createServer((socket) => {
  const connection = openConnection(socket);
  connection.onRequest('launch', (/** @type {{ args: string[] }} */ { args }) => process.send?.(args.length) ?? true);
  connection.listen();
});
server.once('error', () => {
  const socket = connect(where, async () => {
    const connection = openConnection(socket);
    connection.listen();
    await connection.sendRequest('launch', { args: process.argv.slice(2) });
    process.exit();
  });
});
server.listen(where, () => process.send?.('ready'));

/** @param {import('node:net').Socket} socket */
function openConnection(socket) {
  return createMessageConnection(new SocketMessageReader(socket), new SocketMessageWriter(socket));
}
