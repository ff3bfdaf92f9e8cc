import { afterAll, beforeAll, expect, it } from 'vitest';
import { SingletonError } from '../../../src/interface/errors.ts';
import { etcdStore } from '../../../src/transports/etcd/store.ts';
import type { LeaseStore } from '../../../src/transports/lease/store.ts';
import { callEtcd, describeEtcd, enableAuthentication, type EtcdCluster, startEtcd } from '../../helpers/etcd.ts';

const unlimited = { signal: new AbortController().signal };
const password = 'correct horse';

let cluster: EtcdCluster;
let rootToken: string;

function storeOf(key: string, username?: string, word: string = password): LeaseStore {
  const credentials = username === undefined ? {} : { username, password: word };
  return etcdStore({ endpoints: cluster.endpoints, key, ...credentials });
}

async function finalMessageOf(store: LeaseStore): Promise<string> {
  const error = await store.read(unlimited).catch((reason: unknown) => reason);
  if (!(error instanceof SingletonError)) throw new Error(`Expected a SingletonError, got ${String(error)}.`);
  expect(error.message).not.toContain(password);
  return error.message;
}

describeEtcd('etcd with users', () => {
  let messageBefore = '';

  beforeAll(async () => {
    cluster = await startEtcd();
    messageBefore = await finalMessageOf(storeOf('app/key', 'app'));
    rootToken = await enableAuthentication(String(cluster.endpoints[0]), {
      username: 'app',
      password,
      keys: ['app/', 'app0'],
    });
  });
  afterAll(() => cluster?.stop());

  it('lets a user with the permission hold the key', async () => {
    const store = storeOf('app/key', 'app');
    const grant = await store.acquire('a', 60_000, unlimited);
    expect(await store.read(unlimited)).toEqual({ value: 'a', token: grant?.token });
    expect(await grant?.renew(unlimited)).toBe(true);
    expect(await storeOf('app/key', 'app').acquire('b', 60_000, unlimited)).toBeUndefined();
    await grant?.release(unlimited);
    expect(await store.read(unlimited)).toBeUndefined();
  });

  it('authenticates again when its token has become invalid', async () => {
    const store = storeOf('app/other', 'app');
    const grant = await store.acquire('a', 60_000, unlimited);
    const change = { name: 'app', password };
    await callEtcd(String(cluster.endpoints[0]), '/v3/auth/user/changepw', change, rootToken);
    expect(await store.read(unlimited)).toEqual({ value: 'a', token: grant?.token });
  });

  it('watches with a token, also after that has become invalid', async () => {
    const store = storeOf('app/watched', 'app');
    await store.read(unlimited);
    const change = { name: 'app', password };
    await callEtcd(String(cluster.endpoints[0]), '/v3/auth/user/changepw', change, rootToken);
    // It reports that it may have missed a change once it is connected again.
    await new Promise<void>((resolve) => {
      const watcher = store.watch(() => {
        watcher.close();
        resolve();
      });
    });
  });

  it('says what to do if the password is wrong', async () => {
    expect(await finalMessageOf(storeOf('app/key', 'app', 'wrong'))).toContain(
      'it does not accept the options "username" and "password"',
    );
  });

  it('says what to do if the user has no permission', async () => {
    expect(await finalMessageOf(storeOf('other/key', 'app'))).toContain(
      'the user "app" has no permission for the key. Grant it with "etcdctl role grant-permission ROLE readwrite other/key"',
    );
  });

  it('says what to do if there is no user', async () => {
    expect(await finalMessageOf(storeOf('app/key'))).toContain('Set the options "username" and "password"');
  });

  it('says what to do if etcd has no users', () => {
    expect(messageBefore).toContain('its authentication is not enabled');
  });
});
