// Starts app.js as a host and then as later launches: real processes, one after the other.
import { spawn } from 'node:child_process';
import { connect, createServer } from 'node:net';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const APP = fileURLToPath(new URL('app.js', import.meta.url));
const port = await freePort();
const deadline = setTimeout(() => fail('the demo did not end within 30 seconds'), 30_000);

say('The first launch gets the endpoint.');
const host = start([]);
await host.prints('I am the host');

say('A second launch hands its arguments over and exits.');
await launch(['open', 'report 2026.pdf', '🚀'], 'arguments: ["open","report 2026.pdf","🚀"]');

say('One without arguments is counted; there is nothing to hand over.');
await launch([], 'client 2 came');

say('One with a wrong secret is refused and not counted.');
await launch(['--evil'], 'a client was refused: wrong-secret', { DEMO_SECRET: 'a guess' });

say('A web page that posts to the port is not a launch.');
connect(port, '127.0.0.1')
  .on('error', () => {})
  .end('POST / HTTP/1.1\r\nHost: localhost\r\n\r\n--evil\0');
await host.prints('not a launch: ERR_SINGLETON_MALFORMED_MESSAGE');

say('Beyond maxClients (2 here) a client is counted, its arguments are ignored.');
await launch(['ignored'], 'client 3 came');

say('The client that reaches releaseThreshold (4 here) frees the endpoint.');
await launch(['dropped'], 'the endpoint is free again: threshold');
await host.exits();

say('So the next launch is the host.');
const next = start(['I', 'stay']);
await next.prints('I am the host');
next.child.kill();
await next.exits();

clearTimeout(deadline);
say('That was all.');

/**
 * A later launch: waits until it has exited and the host has said what it should.
 * @param {string[]} args
 * @param {string} expected
 */
async function launch(args, expected, env = {}) {
  const began = performance.now();
  const client = start(args, env);
  const [status] = await Promise.all([client.exits(), host.prints(expected)]);
  if (status !== 0) fail(`the launch exited with status ${status}`);
  console.log(`  launch │ exited with status 0 after ${Math.round(performance.now() - began)} ms`);
}

/** @param {string[]} args */
function start(args, env = {}) {
  console.log(`  $ ${['node app.js', ...args.map((arg) => (/^[\w-]+$/.test(arg) ? arg : `'${arg}'`))].join(' ')}`);
  const child = spawn(process.execPath, [APP, ...args], {
    env: { ...process.env, DEMO_PORT: String(port), DEMO_SECRET: 'open sesame', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  process.once('exit', () => child.kill());
  /** @type {string[]} */
  const lines = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    console.log(`  host   │ ${line}`);
    lines.push(line);
    child.emit('line');
  });
  return {
    child,
    /** @param {string} beginning */
    async prints(beginning) {
      while (!lines.some((line) => line.startsWith(beginning))) await once(child, 'line');
    },
    async exits() {
      const [status] = await exited;
      return status;
    },
  };
}

/** Below the range that systems lend to outgoing connections. */
async function freePort() {
  for (;;) {
    const candidate = 10_000 + Math.trunc(Math.random() * 22_768);
    const server = createServer().listen(candidate, '127.0.0.1');
    const isFree = await new Promise((resolve) => {
      server.once('listening', () => resolve(true)).once('error', () => resolve(false));
    });
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    return candidate;
  }
}

/** @param {string} line */
function say(line) {
  console.log(`\n${line}`);
}

/** @param {string} reason */
function fail(reason) {
  console.error(`\nThe demo failed: ${reason}.`);
  process.exit(1);
}
