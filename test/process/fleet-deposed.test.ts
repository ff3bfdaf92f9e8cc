import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeEtcd, type EtcdCluster, startEtcd } from '../helpers/etcd.ts';
import { Fleet, type FleetOptions, type OnFinished } from '../helpers/fleet.ts';
import { buildMutant } from '../helpers/mutant.ts';
import { Network } from '../helpers/network.ts';
import { freePort } from '../helpers/program.ts';

/** So short that a test can wait for its end, and so long that a host renews it in time although the machine is busy. */
const TTL = 2000;

let cluster: EtcdCluster;

function fleetOf(onFinished: OnFinished, options: Partial<FleetOptions> = {}): Fleet {
  return new Fleet({ endpoints: cluster.endpoints, ttl: TTL, onFinished, ...options });
}

describeEtcd('a host that is late', () => {
  beforeAll(async () => {
    cluster = await startEtcd();
  });
  afterAll(() => cluster?.stop());

  it.concurrent('runs nothing after it was stopped, from its sockets or its queue', async ({ onTestFinished }) => {
    const { host, next, clients, network } = await start(onTestFinished);
    await clients.send('test');
    const { bytesBeforeAnswer } = network;
    const waiting = clients.send('hold', { wait: true });
    await host.ran(2);
    const queued = await Promise.all([clients.send('a'), clients.send('b')]);
    expect(queued).toMatchObject([{ is: 'delivered' }, { is: 'delivered' }]);
    const held = network.holdNext(bytesBeforeAnswer - 1);
    const received = clients.send('wire');
    const sendRest = await held;

    await host.program.freeze();
    expect(await next.launch('next')).toMatchObject({ is: 'host' });
    await sendRest();
    host.perform({ do: 'go' });
    host.program.signal('SIGCONT');
    expect(await host.end()).toBe('lost');
    expect(await waiting).toMatchObject({ is: 'failed', code: 'ERR_SINGLETON_RELEASED' });
    expect(await received).toMatchObject({ is: 'delivered', token: await next.claim() });
    expect(await next.ran(1)).toEqual(['wire']);
    await host.answer();
    expect(host.runs).toEqual(['test', 'hold']);
    expect(await next.claim()).toBeGreaterThan(await host.claim());
  });

  it.concurrent('runs nothing after it was blocked', async ({ onTestFinished }) => {
    const { host, waiting, unblock } = await block(onTestFinished);
    // Its host sends nothing, not even an end.
    expect(await waiting).toMatchObject({ is: 'failed', code: 'ERR_SINGLETON_CONNECTION_FAILED' });
    unblock();
    expect(await host.end()).toBe('lost');
    await host.answer();
    expect(host.runs).toEqual(['hold', 'block']);
  });

  it.concurrent('is seen to run a launch if it does not look at the clock', async ({ onTestFinished }) => {
    const { host, waiting, unblock } = await block(onTestFinished, buildMutant('no-check', onTestFinished));
    unblock();
    expect(await host.ran(3)).toEqual(['hold', 'block', 'a']);
    await waiting;
  });

  it.concurrent('stops before its TTL ends if etcd cannot be reached, and serves until then', async (context) => {
    const { onTestFinished } = context;
    const fleet = fleetOf(onTestFinished, { ttl: 2 * TTL, sample: 10 });
    const [client, next] = await Promise.all([fleet.start(), fleet.start()]);
    const network = await Network.start(portOfUrl(cluster.endpoints[0]), onTestFinished);
    const host = await fleet.startHost({ endpoints: [`http://127.0.0.1:${network.port}`] });
    await client.send('before');
    network.cut();
    expect(await client.send('a')).toMatchObject({ is: 'delivered', token: await host.claim() });
    const following = next.launch('next', { standby: true });
    expect(await host.end()).toBe('lost');
    expect(await following).toMatchObject({ is: 'host' });
    const [claim] = next.program.all('claim');
    const lastHeld = host.program.all('held').at(-1);
    expect(Number(lastHeld?.['at'])).toBeLessThan(Number(claim?.['at']));
    expect(await next.claim()).toBeGreaterThan(await host.claim());
  });
});

/** A host, a program that sends launches to it through a network, and one that is the next host. */
async function start(onFinished: OnFinished, dist?: string) {
  const fleet = fleetOf(onFinished, { dist });
  const port = await freePort();
  const network = await Network.start(port, onFinished);
  const host = await fleet.startHost({
    listen: { address: '127.0.0.1', port },
    advertise: { address: '127.0.0.1', port: network.port },
  });
  const [clients, next] = await Promise.all([fleet.start(), fleet.start()]);
  return { host, network, clients, next };
}

/** A host that is blocked until another one has followed it. Then the next launch in its queue is the first thing that it gets to. */
async function block(onFinished: OnFinished, dist?: string) {
  const folder = mkdtempSync(join(tmpdir(), 'socket-singleton-'));
  onFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'unblock');
  const { host, clients, next } = await start(onFinished, dist);
  expect(await clients.send('hold')).toMatchObject({ is: 'delivered' });
  const waiting = clients.send('block', { path, wait: true });
  await host.program.line('client', ({ number }) => number === 2);
  expect(await clients.send('a')).toMatchObject({ is: 'delivered' });
  host.perform({ do: 'go' });
  await host.ran(2);
  expect(await next.launch('next')).toMatchObject({ is: 'host' });
  return { host, waiting, unblock: () => writeFileSync(path, '') };
}

function portOfUrl(url = ''): number {
  return Number(new URL(url).port);
}
