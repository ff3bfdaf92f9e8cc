import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { msgpack } from '../../src/codecs/msgpack.ts';
import { generateSecret, Singleton } from '../../src/index.ts';
import { commandsOf, example } from '../helpers/examples.ts';
import { freePort, inheritedEnv, isFree, type Program, run, waitUntil } from '../helpers/program.ts';
import { socketFolder } from '../helpers/socket-folder.ts';

const execute = promisify(execFile);
const app = example('queue/app.js');
const metrics = pathToFileURL(example('queue/metrics.js')).href;

// Windows has no SIGTERM that a program could act on.
describe.skipIf(process.platform === 'win32')('examples/queue', () => {
  it('prints what its README shows', async () => {
    const HOME = socketFolder();
    const env = { ...inheritedEnv(), HOME, QUEUE_PORT: String(await freePort()) };
    const [[secret, serve] = [], jobs = []] = commandsOf('queue');
    await execute('bash', ['-c', `${secret?.command}`], { env, cwd: example('queue') });
    const host = run('bash', ['-c', `exec ${serve?.command.replace('app.js', app)}`], env);
    const [start = '', end = ''] = serve?.output[0]?.split('…') ?? [];
    await host.printed(end);
    expect(host.stdout.startsWith(start)).toBe(true);

    const script = jobs.map(({ command }) => command.replace('app.js', app)).join('\n');
    const { stdout } = await execute('bash', ['-c', `exec 2>&1\n${script}`], { env, cwd: HOME }).catch(
      // The last job fails, as it should.
      (error: { readonly stdout: string }) => error,
    );
    expect(stdout.trimEnd().split('\n')).toEqual(jobs.flatMap(({ output }) => output));
    host.signal('SIGINT');
    expect(await host.exited()).toEqual({ code: 0, signal: null });
  });

  it('has four of 200 jobs at work at a time, and starts them in the order of their arrival', async () => {
    const { host, scrape, addJob } = await startQueue();
    // The audit log has the version of a launch: it says which of them was started.
    const jobs = Array.from({ length: 200 }, (_, index) => addJob({ version: `${index}` }));
    const texts = jobs.map((_, index) => 'a'.repeat(index + 1));
    await host.line('client', ({ client }) => isClient(client) && client.number === jobs.length);
    const started = (): readonly StartedClient[] =>
      host
        .all('dispatch')
        .map(({ client }) => client)
        .filter(isClient);
    expect(started().map(({ number }) => number)).toEqual([1, 2, 3, 4]);

    // Twenty end one at a time, and each makes room for one.
    for (const ended of jobs.slice(0, 20).keys()) {
      await host.line('dispatch', () => started().length >= ended + 4);
      expect(started().length).toBe(ended + 4);
      const index = Number(started()[ended]?.version);
      jobs[index]?.stdin.end(texts[index]);
      await jobs[index]?.receipt;
    }
    for (const [index, { stdin }] of jobs.entries()) if (!stdin.writableEnded) stdin.end(texts[index]);

    const receipts = await Promise.all(jobs.map(({ receipt }) => receipt));
    expect(receipts.map(({ reply }) => reply)).toEqual(texts.map(({ length }) => ({ bytes: length })));
    expect(await Promise.all(jobs.map(({ readOutput }) => readOutput()))).toEqual(texts);
    expect(started().map(({ number }) => number)).toEqual(jobs.map((_, index) => index + 1));
    await host.line('result', () => host.all('result').length === jobs.length);
    expect(await scrape()).toContain('\njobs_total{result="reply"} 200\n');
  });

  it('refuses a launch without the secret, and logs and counts it', async () => {
    const { host, scrape, addJob } = await startQueue();
    const { receipt } = addJob({ secret: generateSecret() });
    await expect(receipt).rejects.toMatchObject({ code: 'ERR_SINGLETON_VERIFICATION_FAILED' });
    expect(await host.line('verifyFailed')).toMatchObject({
      failure: { reason: 'wrong-secret', remoteAddress: '127.0.0.1', count: 1, suppressed: 0 },
    });
    expect(await scrape()).toContain('\nrefused_clients_total 1\n');
    expect(host.all('client')).toEqual([]);
  });

  it('finishes the jobs that it has before it ends', async () => {
    const { host, port, addJob } = await startQueue();
    const { receipt, stdin, readOutput } = addJob();
    await host.line('dispatch');
    host.signal('SIGTERM');
    await waitUntil('the port to be free', () => isFree(port));
    stdin.end('late');
    expect(await receipt).toMatchObject({ reply: { bytes: 4 } });
    expect(await readOutput()).toBe('late');
    expect(await host.exited()).toEqual({ code: 0, signal: null });
  });

  it('counts refused clients that the audit log has no line for', async () => {
    const program = `
import { channel } from 'node:diagnostics_channel';
for (const failure of [{ count: 1, suppressed: 0 }, { count: 50, suppressed: 48 }]) {
  channel('socket-singleton:verifyFailed').publish({ failure });
}
const response = await fetch('http://127.0.0.1:' + process.env.METRICS_PORT);
console.log(await response.text());
process.exit();
`;
    const env = { ...inheritedEnv(), METRICS_PORT: String(await freePort()) };
    const { stdout } = await execute(
      process.execPath,
      ['--import', metrics, '--input-type', 'module', '--eval', program],
      { env },
    );
    expect(stdout).toContain('\nrefused_clients_total 50\n');
  });
});

interface Job {
  readonly receipt: ReturnType<typeof Singleton.send>;
  readonly stdin: PassThrough;
  /** What the job wrote, decompressed; after its receipt. */
  readonly readOutput: () => Promise<string>;
}

interface Queue {
  readonly host: Program;
  readonly port: number;
  /** The text that Prometheus gets. */
  readonly scrape: () => Promise<string>;
  /** Adds a job that lasts until its stdin ends. */
  readonly addJob: (other?: { readonly secret?: string; readonly version?: string }) => Job;
}

/** Starts the daemon with its metrics. Its lines are those of the audit log. */
async function startQueue(): Promise<Queue> {
  const [port, metricsPort] = [await freePort(), await freePort()];
  const secret = generateSecret();
  const file = join(socketFolder(), 'secret');
  writeFileSync(file, secret, { mode: 0o600 });
  const env = { QUEUE_PORT: `${port}`, QUEUE_SECRET_FILE: file, METRICS_PORT: `${metricsPort}` };
  const host = run(process.execPath, ['--import', metrics, app, 'serve'], env);
  await host.line('acquire');
  return {
    host,
    port,
    async scrape() {
      const response = await fetch(`http://127.0.0.1:${metricsPort}`, { headers: { connection: 'close' } });
      return response.text();
    },
    addJob(other) {
      const [stdin, stdout] = [new PassThrough(), new PassThrough()];
      const options = { port, codec: msgpack(), secret, args: { task: 'gzip' }, wait: true, stdin, stdout, ...other };
      return {
        receipt: Singleton.send({ ...options, deliveryTimeout: 100_000 }),
        stdin,
        readOutput: async () => gunzipSync(await buffer(stdout.end())).toString(),
      };
    },
  };
}

interface StartedClient {
  readonly number: number;
  readonly version?: string;
}

function isClient(value: unknown): value is StartedClient {
  return typeof value === 'object' && value !== null && 'number' in value;
}
