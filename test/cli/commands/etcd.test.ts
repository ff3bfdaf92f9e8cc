import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { transportOf } from '../../../src/cli/endpoint.ts';
import { command, execute } from '../../helpers/command-line.ts';
import { describeEtcd, type EtcdCluster, startEtcd } from '../../helpers/etcd.ts';
import { waitUntil } from '../../helpers/program.ts';
import { socketFolder } from '../../helpers/socket-folder.ts';

it('takes several members of etcd, and a key with slashes', async () => {
  expect((await transportOf('etcd://127.0.0.1:2379,10.0.0.2:2379/acme/nightly')).endpoint).toBe('etcd:acme/nightly');
});

it('needs a secret at a key of etcd, and says so in one line', async () => {
  const { status, stderr } = await execute('send', 'a', 'etcd://127.0.0.1:2379/acme/nightly');
  expect([status, stderr.split('\n').length]).toEqual([2, 2]);
  expect(stderr).toContain('--secret-file');
});

describeEtcd('the command at a key of etcd', () => {
  let cluster: EtcdCluster;
  beforeAll(async () => {
    cluster = await startEtcd();
  });
  afterAll(() => cluster.stop());

  it('delivers to the host, which another "run" finds, and which "stop" ends', async () => {
    const file = join(socketFolder(), 'secret');
    writeFileSync(file, 'a secret of all machines', { mode: 0o600 });
    const endpoint = `${cluster.endpoints[0]?.replace('http:', 'etcd:')}/acme/nightly`;
    const secret = ['--secret-file', file];
    const host = command('listen', ...secret, '--allow-stop', '--reply', 'printf "%s, done" "$1"', endpoint);
    await waitUntil('a host', async () => (await execute('status', ...secret, endpoint)).status === 0);
    expect(await execute('send', ...secret, '--wait', 'job', endpoint)).toMatchObject({ status: 0 });
    expect((await execute('run', ...secret, '--status', '9', endpoint, '--', 'false')).status).toBe(9);
    expect((await execute('stop', ...secret, endpoint)).status).toBe(0);
    expect(await host.exited()).toEqual({ code: 0, signal: null });
    expect((await execute('run', ...secret, endpoint, '--', 'sh', '-c', 'exit 5')).status).toBe(5);
  });
});
