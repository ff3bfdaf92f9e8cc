import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { etcdStore } from '../../../src/transports/etcd/store.ts';
import type { LeaseGrant, LeaseStore } from '../../../src/transports/lease/store.ts';
import { callEtcd, describeEtcd, type EtcdCluster, startEtcd } from '../../helpers/etcd.ts';
import { portOf, waitUntil } from '../../helpers/program.ts';

let cluster: EtcdCluster;

const TTL = 60_000;
/** Ends requests with the test. */
const options = (): { signal: AbortSignal } => {
  const controller = new AbortController();
  onTestFinished(() => controller.abort());
  return controller;
};

function storeOf(key: string = randomUUID(), endpoints = cluster.endpoints): LeaseStore {
  return etcdStore({ endpoints, key });
}

async function acquire(store: LeaseStore, value: string, ttl = TTL): Promise<LeaseGrant> {
  const grant = await store.acquire(value, ttl, options());
  if (!grant) throw new Error('Expected a grant; another value is held.');
  return grant;
}

describeEtcd('etcdStore', () => {
  beforeAll(async () => {
    cluster = await startEtcd();
  });
  afterAll(() => cluster?.stop());

  it('leaves no lease behind if another value is held', async () => {
    const store = storeOf();
    await acquire(store, 'a');
    const before = await leases();
    expect(await store.acquire('b', TTL, options())).toBeUndefined();
    expect(await leases()).toEqual(before);
  });

  it('rounds the time up to whole seconds', async () => {
    const store = storeOf();
    await acquire(store, 'a', 61_001);
    const { kvs } = JSON.parse(await callEtcd(endpoint(), '/v3/kv/range', { key: base64Of(store) }));
    const answer = await callEtcd(endpoint(), '/v3/lease/timetolive', { ID: kvs[0].lease });
    expect(JSON.parse(answer).grantedTTL).toBe('62');
  });

  it('does not take a key without a lease for its own', async () => {
    const store = storeOf();
    await callEtcd(endpoint(), '/v3/kv/put', { key: base64Of(store), value: btoa('a') });
    expect(await store.acquire('a', TTL, options())).toBeUndefined();
    expect(await store.read(options())).toMatchObject({ value: 'a' });
  });

  it('has values and keys of any characters', async () => {
    const store = storeOf(`ключ/😀 ${randomUUID()}`);
    const grant = await acquire(store, '{"é":"\u0000"}');
    expect(await store.read(options())).toEqual({ value: '{"é":"\u0000"}', token: grant.token });
    expect(store.endpoint).toMatch(/^etcd:ключ\/😀 /);
  });

  it('has the local address once it was answered', async () => {
    const store = storeOf();
    expect(store.localAddress).toBeUndefined();
    await store.read(options());
    expect(store.localAddress).toBe('127.0.0.1');
  });

  it.each(['/v3/lease/grant', '/v3/kv/txn'])(
    'holds the key if the answer of %s was lost and the other endpoint is asked',
    async (path) => {
      const relay = await startRelay(path);
      const store = storeOf(randomUUID(), [relay.endpoint, ...cluster.endpoints]);
      const grant = await acquire(store, 'a');
      expect(relay.dropped()).toBe(1);
      expect(await grant.renew(options())).toBe(true);
      expect(await store.read(options())).toEqual({ value: 'a', token: grant.token });
    },
  );

  it('finds its own key at the next call if the answer of the transaction was lost', async () => {
    // A request on a kept connection that fails is sent again.
    const relay = await startRelay('/v3/kv/txn', 2);
    const store = storeOf(randomUUID(), [relay.endpoint]);
    await expect(store.acquire('a', TTL, options())).rejects.toThrow(`Could not ask etcd at ${relay.endpoint}`);
    const held = await store.read(options());
    const before = await leases();
    const grant = await acquire(store, 'a');
    expect(grant.token).toBe(held?.token);
    expect(await leases()).toEqual(before);
    expect(await grant.renew(options())).toBe(true);
  });

  it('watches the key, also after the connection was lost', async () => {
    const relay = await startRelay();
    const store = storeOf(randomUUID(), [relay.endpoint]);
    const changes = new Signals();
    const watcher = store.watch(() => changes.add());
    onTestFinished(() => watcher.close());
    await relay.requested('/v3/watch', 1);
    // Whether the watch has begun is not known: so it writes until there is a change.
    await changesOf(store, changes, 1);
    relay.cut();
    await relay.requested('/v3/watch', 2);
    await changesOf(store, changes, changes.count + 1);
    watcher.close();
    await relay.closed();
    const { count } = changes;
    await acquire(store, 'last');
    expect(changes.count).toBe(count);
  });

  it('reports a change after the watch was lost, because it may have missed one', async () => {
    const relay = await startRelay();
    const store = storeOf(randomUUID(), [relay.endpoint]);
    const changed = new Promise<void>((resolve) => {
      const watcher = store.watch(resolve);
      onTestFinished(() => watcher.close());
    });
    await relay.requested('/v3/watch', 1);
    relay.cut();
    await changed;
  });
});

function endpoint(): string {
  return String(cluster.endpoints[0]);
}

function base64Of({ endpoint: name }: LeaseStore): string {
  return Buffer.from(name.slice('etcd:'.length)).toString('base64');
}

async function leases(): Promise<unknown> {
  return JSON.parse(await callEtcd(endpoint(), '/v3/lease/leases', {})).leases;
}

/** Counts what happens. */
class Signals {
  count = 0;

  add(): void {
    this.count += 1;
  }
}

async function changesOf(store: LeaseStore, changes: Signals, count: number): Promise<void> {
  await waitUntil('a change', async () => {
    const grant = await acquire(store, randomUUID());
    await grant.release(options());
    return changes.count >= count;
  });
}

interface Relay {
  readonly endpoint: string;
  dropped(): number;
  /** Ends all connections. */
  cut(): void;
  /** Resolves when a path was requested so many times. */
  requested(path: string, count: number): Promise<void>;
  /** Resolves when no request is open. */
  closed(): Promise<void>;
}

/** An HTTP proxy in front of etcd. It drops the first answers to a path: etcd has executed the request. */
async function startRelay(pathToDrop?: string, drops = 1): Promise<Relay> {
  let dropped = 0;
  let open = 0;
  const paths: string[] = [];
  const server: Server = createServer((incoming, outgoing) => {
    paths.push(String(incoming.url));
    open += 1;
    const forwarded = request(`${endpoint()}${incoming.url}`, { method: 'POST', headers: incoming.headers });
    forwarded.on('error', () => {});
    outgoing.once('close', () => {
      open -= 1;
      forwarded.destroy();
    });
    incoming.pipe(forwarded);
    forwarded.once('response', (response) => {
      response.on('error', () => {});
      if (incoming.url === pathToDrop && dropped < drops) {
        dropped += 1;
        response.resume().once('end', () => incoming.socket.destroy());
        return;
      }
      outgoing.writeHead(Number(response.statusCode), response.headers);
      outgoing.flushHeaders();
      response.pipe(outgoing);
    });
  });
  server.listen({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return {
    endpoint: `http://127.0.0.1:${portOf(server)}`,
    dropped: () => dropped,
    cut: () => server.closeAllConnections(),
    requested: (path, count) =>
      waitUntil(`${count} requests of ${path}`, async () => {
        await new Promise((resolve) => setImmediate(resolve));
        return paths.filter((one) => one === path).length >= count;
      }),
    closed: () =>
      waitUntil('the requests to end', async () => {
        await new Promise((resolve) => setImmediate(resolve));
        return open === 0;
      }),
  };
}
