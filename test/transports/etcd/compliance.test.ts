import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { SingletonError } from '../../../src/interface/errors.ts';
import type { Transport } from '../../../src/interface/transport.ts';
import { etcd, etcdStore } from '../../../src/transports/etcd.ts';
import { leaseGuarantees, type LeaseStore } from '../../../src/transports/lease.ts';
import { describeEtcd, type EtcdCluster, startEtcd } from '../../helpers/etcd.ts';
import { testTransport } from '../../helpers/transport-compliance.ts';

let cluster: EtcdCluster;

const capabilities = {
  reset: true,
  resources: { listener: 'TCPServerWrap', connection: 'TCPSocketWrap' },
  watch: true,
};

describeEtcd('on one etcd', () => {
  beforeAll(async () => {
    cluster = await startEtcd();
  });
  afterAll(() => cluster?.stop());

  testTransport({ create: createTransports, capabilities });

  it('advertises the address by which it reaches etcd', async () => {
    const { endpoints } = cluster;
    const warnings: SingletonError[] = [];
    const options = { signal: AbortSignal.timeout(60_000), onLost() {}, onWarning: warnings.push.bind(warnings) };
    const listener = await etcd({ endpoints, key: randomUUID() }).listen(() => {}, options);
    expect(listener?.address).toMatch(/^tcp:\/\/127\.0\.0\.1:\d+$/);
    await listener?.close();
    // Other machines do not reach that.
    expect(warnings.map(({ message }) => message)).toEqual([expect.stringContaining('Set the option "advertise"')]);
  });

  for (const { title, check } of leaseGuarantees({ create: createStores, ttl: 1000 })) it.concurrent(title, check);
});

function createTransports(): readonly [Transport, Transport] {
  const options = { endpoints: cluster.endpoints, key: randomUUID(), advertise: { address: '127.0.0.1' } };
  return [etcd(options), etcd(options)];
}

function createStores(): readonly [LeaseStore, LeaseStore] {
  const options = { endpoints: cluster.endpoints, key: randomUUID() };
  return [etcdStore(options), etcdStore(options)];
}
