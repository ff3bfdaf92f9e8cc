import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { describeEtcd, leaderOf, startEtcd } from '../helpers/etcd.ts';
import { Fleet, type FleetProgram } from '../helpers/fleet.ts';

/** An etcd that is started again, or elects a leader, answers before half of it has passed. */
const TTL = 6000;

/** What sets the clock of a process, but not its monotonic clock, if it is installed. */
const libfaketime = pathOfLibfaketime();

describeEtcd('a host', () => {
  it.concurrent('stays while etcd is killed and started again', async ({ onTestFinished }) => {
    const cluster = await startEtcd();
    onTestFinished(() => cluster.stop());
    const fleet = new Fleet({ endpoints: cluster.endpoints, ttl: TTL, onFinished: onTestFinished });
    const [host, client] = await Promise.all([fleet.startHost(), fleet.start()]);
    const [member] = cluster.members;
    await member?.program.kill();
    const during = client.send('during');
    await member?.restart();
    expect(await during).toMatchObject({ is: 'delivered', token: await host.claim() });
    await fleet.renewed();
    await expectStays(host, client);
  });

  it.concurrent('stays while the leader of three members is killed, and is lost without a quorum', async (context) => {
    const cluster = await startEtcd(3);
    context.onTestFinished(() => cluster.stop());
    const leader = await leaderOf(cluster);
    const [alive = leader, last = leader] = cluster.members.filter((member) => member !== leader);
    const endpoints = [leader, alive, last].map(({ endpoint }) => endpoint);
    const fleet = new Fleet({ endpoints, ttl: TTL, onFinished: context.onTestFinished });
    const [host, client] = await Promise.all([fleet.startHost(), fleet.start()]);
    await leader.program.kill();
    expect(await client.send('during')).toMatchObject({ is: 'delivered', token: await host.claim() });
    await fleet.renewed(alive.endpoint);
    await expectStays(host, client);

    await last.program.kill();
    const failing = client.send('without a quorum', { deliveryTimeout: 500 });
    expect(await failing).toMatchObject({ is: 'failed', code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE' });
    expect(await host.end()).toBe('lost');
  });

  if (libfaketime === undefined) console.warn('No libfaketime here: NOT TESTED is a clock that is set under a host.');

  it.skipIf(libfaketime === undefined).concurrent('stays when a person sets its clock', async ({ onTestFinished }) => {
    const cluster = await startEtcd();
    onTestFinished(() => cluster.stop());
    const fleet = new Fleet({ endpoints: cluster.endpoints, ttl: TTL, onFinished: onTestFinished });
    const folder = mkdtempSync(join(tmpdir(), 'socket-singleton-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const file = join(folder, 'clock');
    writeFileSync(file, '+0');
    const env = { LD_PRELOAD: libfaketime, FAKETIME_TIMESTAMP_FILE: file };
    const options = { FAKETIME_NO_CACHE: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1' };
    const [host, client] = await Promise.all([fleet.startHost({}, { ...env, ...options }), fleet.start()]);
    // A process that is killed leaves them.
    for (const kind of ['faketime_shm', 'sem.faketime_sem']) {
      onTestFinished(() => rmSync(`/dev/shm/${kind}_${host.program.pid}`, { force: true }));
    }
    for (const hours of [1, -1]) {
      writeFileSync(file, `${hours > 0 ? '+' : ''}${hours}h`);
      const { wall } = await host.answer();
      expect(Math.round((Number(wall) - Date.now()) / 3_600_000)).toBe(hours);
      await expectStays(host, client);
      await fleet.renewed();
    }
    await expectStays(host, client);
  });
});

async function expectStays(host: FleetProgram, client: FleetProgram): Promise<void> {
  const token = await host.claim();
  expect(await client.send(`after ${host.runs.length}`)).toMatchObject({ is: 'delivered', token });
  expect(host.program.all('end')).toEqual([]);
}

function pathOfLibfaketime(): string | undefined {
  const folders = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib64', '/usr/lib'];
  return folders.map((folder) => join(folder, 'faketime/libfaketime.so.1')).find((path) => existsSync(path));
}
