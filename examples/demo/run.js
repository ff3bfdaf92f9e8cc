// The demo: starts app.js as the host and then as later launches, and checks what they print. All are real processes.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { generateSecret } from 'socket-singleton';

const APP = fileURLToPath(new URL('app.js', import.meta.url));
const port = await freePort();
const secret = generateSecret();
let step = 0;
const deadline = setTimeout(() => fail('it did not end within 60 seconds'), 60_000);

heading(
  'The first launch becomes the host',
  'It binds a port. Only one process can do that, so there is exactly one host, even if many launches start at once.',
);
const host = start('host', ['open', 'draft.txt']);
await host.prints('I am the host');

heading(
  'A second launch delivers its arguments and exits',
  'It finds the port in use, so it sends its arguments to the host. The codec is JSON: the host gets an object, not a\n' +
    'command line. The host answers with a receipt, so the launch knows that its arguments arrived.',
);
await launch(['open', 'report 2026.pdf', '🚀.txt'], 0, ['receipt: delivered']);
await host.prints('client 1 opens ["report 2026.pdf","🚀.txt"]');

heading(
  'A launch that waits gets a reply',
  'Only the host knows which files are open. The launch waits until the host has answered.',
);
await launch(['status'], 0, ['receipt: delivered', 'reply: {"open":["draft.txt","report 2026.pdf","🚀.txt"]}']);

heading(
  'A launch with another secret is refused',
  'Both sides prove that they know the secret, and neither sends it. This launch guesses. It fails with a code that a\n' +
    'program can test, and the host never sees its arguments.',
);
await launch(['open', 'evil.txt'], 1, ['failed: ERR_SINGLETON_VERIFICATION_FAILED'], generateSecret());
await host.prints('refused a client: wrong-secret');

heading(
  'A web page cannot deliver anything',
  'A web page can make a browser send HTTP to any local port. The host sees that this is not a launch and resets the\n' +
    'connection.',
);
await post('open evil.txt');
await host.prints('warning: ERR_SINGLETON_MALFORMED_MESSAGE');

heading(
  'The host crashes, and the next launch becomes the host',
  'The operating system frees the port when the process ends. There is no lock file that a crash could leave behind.',
);
host.kill();
print('host', '(killed)');
await host.exits();
const next = start('host', ['open', 'draft.txt']);
await next.prints('I am the host');
next.kill();
await next.exits();

clearTimeout(deadline);
console.log('\nThe demo is complete: every step printed what it should.');

/**
 * Runs a later launch to its exit, and checks what it prints.
 * @param {string[]} args
 * @param {number} expectedStatus
 * @param {string[]} expectedLines The beginning of each.
 */
async function launch(args, expectedStatus, expectedLines, itsSecret = secret) {
  const began = performance.now();
  const client = start('launch', args, itsSecret);
  for (const line of expectedLines) await client.prints(line);
  const status = await client.exits();
  if (status !== expectedStatus) fail(`a launch exited with status ${status} instead of ${expectedStatus}`);
  print('launch', `(exited with status ${status} after ${Math.round(performance.now() - began)} ms)`);
}

/**
 * @param {'host' | 'launch'} role
 * @param {string[]} args
 */
function start(role, args, itsSecret = secret) {
  const words = args.map((arg) => (/^[\w.-]+$/.test(arg) ? arg : `'${arg}'`));
  console.log(`  $ ${[...(itsSecret === secret ? [] : ['DEMO_SECRET=guess']), 'node app.js', ...words].join(' ')}`);
  const child = spawn(process.execPath, [APP, ...args], {
    env: { ...process.env, DEMO_PORT: String(port), DEMO_SECRET: itsSecret },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let isClosed = false;
  const closed = once(child, 'close').finally(() => (isClosed = true));
  process.once('exit', () => child.kill());
  /** @type {string[]} */
  const lines = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    print(role, line);
    lines.push(line);
    child.emit('line');
  });
  return {
    /**
     * Resolves when the process has printed a line that begins like this.
     * @param {string} beginning
     */
    async prints(beginning) {
      while (!lines.some((line) => line.startsWith(beginning))) {
        if (isClosed) fail(`the ${role} exited and did not print "${beginning}"`);
        await Promise.race([once(child, 'line'), closed]);
      }
    },
    /** Resolves to the exit status when the process has exited and all its output was read. */
    async exits() {
      const [status] = await closed;
      return status;
    },
    kill: () => child.kill('SIGKILL'),
  };
}

/**
 * Does what a script in a web page can do.
 * @param {string} body
 */
async function post(body) {
  const url = `http://127.0.0.1:${port}`;
  console.log(`  > fetch('${url}', { method: 'POST', body: '${body}' })`);
  const response = await fetch(url, { method: 'POST', body }).catch(() => undefined);
  if (response) fail('the host answered HTTP');
  print('page', 'fetch failed: no answer');
}

/** A port below the range that systems use for outgoing connections. */
async function freePort() {
  for (;;) {
    const candidate = 10_000 + Math.trunc(Math.random() * 2000);
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

/**
 * @param {string} title
 * @param {string} why
 */
function heading(title, why) {
  step += 1;
  console.log(`\n${step}. ${title}\n`);
  console.log(`${why}\n`);
}

/**
 * @param {string} role
 * @param {string} line
 */
function print(role, line) {
  console.log(`  ${role.padEnd(6)} │ ${line}`);
}

/**
 * @param {string} reason
 * @returns {never}
 */
function fail(reason) {
  console.error(`\nThe demo failed: ${reason}.`);
  process.exit(1);
}
