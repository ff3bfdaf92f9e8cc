// Starts etcd and three workers. Twice, it sends a job and kills the host. ETCD_PORT is another port than 12379.
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { generateSecret, Singleton } from 'socket-singleton';

const ETCD = `http://127.0.0.1:${process.env.ETCD_PORT ?? 12_379}`;
Object.assign(process.env, { ETCD, FLEET_ADDRESS: '127.0.0.1', FLEET_SECRET: generateSecret() });
const { shared } = await import('./shared.js'); // it reads these variables
const folder = mkdtempSync(`${tmpdir()}/socket-singleton-`);
const urls = [
  '--listen-client-urls',
  ETCD,
  '--advertise-client-urls',
  ETCD,
  '--listen-peer-urls',
  'http://127.0.0.1:0',
];
const etcd = spawn('etcd', ['--data-dir', folder, '--unsafe-no-fsync', ...urls], { stdio: 'ignore' });
etcd.once('error', ({ message }) => {
  console.warn(`Skipped, because etcd cannot be started (Debian: apt-get install etcd-server): ${message}`);
  process.exit(process.env.CI === 'true' ? 1 : 0);
});
etcd.once('exit', (status) => process.exit(status || 1)); // such as if its port is in use
const workers = ['a', 'b', 'c'].map((name) => fork(`${import.meta.dirname}/worker.js`, [name]));
process
  .once('SIGINT', () => process.exit(1))
  .once('exit', () => {
    for (const child of [etcd, ...workers]) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, maxRetries: 9 });
  });

for (const args of ['job 1', 'job 2']) {
  const host = await Promise.race(workers.map((worker) => once(worker, 'message').then(() => worker)));
  console.log((await Singleton.send({ ...shared, args, wait: true })).reply);
  host.kill('SIGKILL');
  console.log('the host was killed');
}
process.exit();
