// A web server that is updated while it serves: `node server.js blue` starts it, and `node server.js green` takes its place.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { Singleton } from 'socket-singleton';
import { json } from 'socket-singleton/codecs/json';
import { pipe } from 'socket-singleton/transports/pipe';

const [version = 'blue', role] = process.argv.slice(2);
const address = { host: '127.0.0.1', port: Number(process.env.PORT ?? 8080) };
const isSuccessor = role === 'successor'; // the running version has started this one

/** @type {import('socket-singleton').Codec<{ file: string, version: string }, never>} */
const codec = json();
const app = await Singleton.acquire({
  transport: pipe({ name: `web-${address.port}` }),
  codec,
  args: { file: import.meta.filename, version },
  version,
  wait: true,
  allowReplace: true,
  replace: isSuccessor,
});
app.on('release', () => {
  // By itself close() also closes connections that are kept open, and a request may be on its way on each.
  server.closeIdleConnections = () => {};
  server.close(); // what it has accepted is answered, and then this process ends
  setTimeout(() => server.closeAllConnections(), 10_000).unref();
});
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void app.release({ drain: true }));

const server = createServer((_, response) => {
  response.setHeader('Connection', server.listening ? 'keep-alive' : 'close');
  response.end(`${version}, process ${process.pid}\n`);
});
if (isSuccessor) process.send?.('is the host');
// If the version before ends instead of sending its socket, the port is free.
const [, socket] = isSuccessor ? await Promise.race([once(process, 'message'), once(process, 'disconnect')]) : [];
await once(server.listen(socket ?? address), 'listening');
if (process.connected) process.send?.('serves');
console.log(`${version} serves http://${address.host}:${address.port} in process ${process.pid}`);

app.handle(bringUp, { concurrency: 1 });

/** @type {import('socket-singleton').Handler<{ file: string, version: string }, never>} */
async function bringUp(next, client) {
  const child = fork(next.file, [next.version, 'successor'], { cwd: client.cwd, detached: true });
  const ended = once(child, 'exit').then(() => Promise.reject(new Error('its process has ended')));
  try {
    await Promise.race([once(child, 'message'), ended]); // it is the host
    child.send('the socket', server); // both accept connections from one queue now: if one closes it, none is lost
    await Promise.race([once(child, 'message'), ended]); // it serves
    client.stdout.write(`${next.version} serves in process ${child.pid}, in place of ${version}\n`);
  } catch (error) {
    client.stderr.write(`${next.version} does not serve: ${String(error)}\n`);
    client.exit(1);
  }
  child.unref();
  if (child.connected) child.disconnect();
}
