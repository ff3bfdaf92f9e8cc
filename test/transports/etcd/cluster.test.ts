import { afterAll, beforeAll, expect, it } from 'vitest';
import { SingletonError } from '../../../src/interface/errors.ts';
import { etcdStore } from '../../../src/transports/etcd/store.ts';
import { describeEtcd, type EtcdCluster, leaderOf, startEtcd } from '../../helpers/etcd.ts';

const unlimited = { signal: new AbortController().signal };

let cluster: EtcdCluster;

describeEtcd('a cluster of three', () => {
  beforeAll(async () => {
    cluster = await startEtcd(3);
  });
  afterAll(() => cluster?.stop());

  it('serves the store without its leader, and not without a quorum', async () => {
    const { endpoints, members } = cluster;
    const store = etcdStore({ endpoints, key: 'key' });
    const grant = await store.acquire('a', 60_000, unlimited);
    const held = { value: 'a', token: grant?.token };

    await (await leaderOf(cluster)).program.kill();
    // Some requests fail until the others have elected a leader.
    await until(async () => expect(await store.read(unlimited)).toEqual(held));
    await until(async () => expect(await grant?.renew(unlimited)).toBe(true));

    await members.find(({ program }) => !program.hasExited)?.program.kill();
    const error = await store.read({ signal: AbortSignal.timeout(1000) }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(Error);
    expect(error).not.toBeInstanceOf(SingletonError);
    expect(String(error)).toMatch(/etcd at http:\/\/127\.0\.0\.1:\d+/);
  });
});

/** Tries again after each failure. */
async function until(check: () => Promise<void>): Promise<void> {
  for (let count = 0; ; count += 1) {
    try {
      return await check();
    } catch (error) {
      if (count === 1000) throw error;
    }
  }
}
