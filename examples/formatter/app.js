// A formatter that warms up once. The first launch serves; a later one sends its stdin and gets the host's output and status:
//   node app.js &
//   node app.js a.ts < a.ts
import { text } from 'node:stream/consumers';
import { Singleton } from 'socket-singleton';
import { json } from 'socket-singleton/codecs/json';

/** @type {import('socket-singleton').Codec<readonly string[]>} */
const codec = json();
const app = await Singleton.acquire({
  port: Number(process.env.FORMATTER_PORT ?? 21338),
  codec,
  args: process.argv.slice(2),
  wait: true,
});

// Only the host comes here.
const { format } = await import('prettier');
const idle = setTimeout(() => app.release(), Number(process.env.FORMATTER_IDLE ?? 60_000));
console.log('warm');

app.on('args', async ([filepath = 'stdin.js'], client) => {
  idle.refresh();
  try {
    client.stdout.write(await format(await text(client.stdin), { filepath }));
  } catch (error) {
    client.stderr.write(`${filepath}: ${String(error)}\n`);
    client.exit(2);
  }
});
app.on('release', () => console.log('idle for long enough'));
