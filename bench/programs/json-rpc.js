// The same with a general IPC package.
import { connect, createServer } from 'node:net';
import { createMessageConnection, SocketMessageReader, SocketMessageWriter } from 'vscode-jsonrpc/node';

const where = JSON.parse(process.env['BENCH_WHERE'] ?? '');
const server = createServer((socket) => {
  const connection = talkOver(socket);
  connection.onRequest('launch', (/** @type {{ args: string[] }} */ { args }) => process.send?.(args.length) ?? true);
  connection.listen();
});
server.once('error', () => {
  const socket = connect(where, async () => {
    const connection = talkOver(socket);
    connection.listen();
    await connection.sendRequest('launch', { args: process.argv.slice(2) });
    process.exit();
  });
});
server.listen(where, () => process.send?.('ready'));

/** @param {import('node:net').Socket} socket */
function talkOver(socket) {
  return createMessageConnection(new SocketMessageReader(socket), new SocketMessageWriter(socket));
}
