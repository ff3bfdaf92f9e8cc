// Starts app.js as the host and then as later launches, and compares them with alone.js. All are real processes.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const ROUNDS = 7;
const SOURCE = 'const  a = {b:1 ,c:[ 2,3 ]}\n'.repeat(50);
const FORMATTED = 'const a = { b: 1, c: [2, 3] };\n'.repeat(50);

const { NODE_EXTRA_CA_CERTS: _, ...inherited } = process.env;
const env = { ...inherited, FORMATTER_PORT: String(await freePort()), FORMATTER_IDLE: '2000' };
const deadline = setTimeout(() => assert.fail('the example did not end within 60 seconds'), 60_000);

const host = start('app.js', 'serve');
process.once('exit', () => host.kill());
host.stdin.end();
await once(host.stderr, 'data');
console.log('\nA formatter that is loaded once\n');
console.log('The host has loaded the formatter. Later launches use it and need not load it again.');

const warm = [];
const cold = [];
for (let round = 0; round < ROUNDS; round += 1) {
  warm.push(await formats('app.js'));
  cold.push(await formats('alone.js'));
}
const [launch, alone] = [median(warm), median(cold)];
console.log(
  `A launch with the host takes ${launch.toFixed()} ms. Without it: ${alone.toFixed()} ms, ${(alone / launch).toFixed(1)} times as long.`,
);

const broken = await run('app.js', 'const');
assert.equal(broken.code, 2);
assert.match(broken.stderr, /^a\.ts: /);
console.log('If the input cannot be formatted, the launch prints the error of the host and exits with status 2.');

await once(host, 'close');
clearTimeout(deadline);
console.log('The host has exited, because no launch arrived for two seconds.');

/**
 * Resolves to the milliseconds that a process needs to format the source.
 * @param {string} program
 */
async function formats(program) {
  const began = performance.now();
  const { code, stdout, stderr } = await run(program, SOURCE);
  assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: FORMATTED, stderr: '' });
  return performance.now() - began;
}

/**
 * @param {string} program
 * @param {string} source
 */
async function run(program, source) {
  const child = start(program, 'a.ts');
  child.stdin.end(source);
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code, stdout, stderr };
}

/**
 * @param {string} program
 * @param {string[]} args
 */
function start(program, ...args) {
  return spawn(process.execPath, [fileURLToPath(new URL(program, import.meta.url)), ...args], { env });
}

/** @param {number[]} times */
function median(times) {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? NaN;
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address ? address.port : 0;
}
