// A formatter that is loaded once. A later launch sends its stdin to the host, and gets its output and exit status back:
//   node app.js serve &
//   node app.js a.ts < a.ts
import { text } from 'node:stream/consumers';
import { Singleton } from 'socket-singleton';
import { json } from 'socket-singleton/codecs/json';

const port = Number(process.env.FORMATTER_PORT ?? 21338);
/** @type {import('socket-singleton').Codec<readonly string[]>} */
const codec = json();
const args = process.argv.slice(2);

if (args[0] !== 'serve') {
  // This launch never becomes the host. Without a host it fails with ERR_SINGLETON_NO_HOST.
  const { exitCode } = await Singleton.send({ port, codec, args, wait: true });
  process.exit(exitCode);
}

const app = await Singleton.acquire({ port, codec, client: false });
const { format } = await import('prettier');
console.error('ready');

let jobs = 0;
/** @type {NodeJS.Timeout} */
let idle;
restartIdle();

app.on('args', async ([filepath = 'stdin.js'], client) => {
  jobs += 1;
  restartIdle();
  try {
    client.stdout.write(await format(await text(client.stdin), { filepath }));
  } catch (error) {
    client.stderr.write(`${filepath}: ${String(error)}\n`);
    client.exit(2);
  } finally {
    jobs -= 1;
    restartIdle();
  }
});
app.on('release', () => console.error('released: no launch for too long'));

/** Releases after a while without a launch. A launch that is still being served keeps the host, however long it takes. */
function restartIdle() {
  clearTimeout(idle);
  if (jobs === 0) idle = setTimeout(() => app.release(), Number(process.env.FORMATTER_IDLE ?? 60_000));
}
