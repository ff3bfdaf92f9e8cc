import { randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { performance } from 'node:perf_hooks';
import { setImmediate as turn, setTimeout } from 'node:timers/promises';
import { inspect } from 'node:util';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it, type Mock, onTestFinished, test, vi } from 'vitest';
import { json } from '../../src/codecs/json.ts';
import { Singleton, SingletonError, type Transport } from '../../src/index.ts';
import { postgres, type PostgresQuery, postgresStore, postgresTable } from '../../src/transports/postgres.ts';
import { type LeaseGrant, leaseGuarantees, type LeaseStore } from '../../src/transports/lease.ts';
import { startHost } from '../helpers/host.ts';
import { options as listenOptions, testTransport, unexpected } from '../helpers/transport-compliance.ts';
import { missing, PostgresServer } from '../helpers/postgres-server.ts';

const TTL = 60_000;
const VALUE = '{"address":"10.1.2.3","port":7001}';

const query: PostgresQuery = () => Promise.resolve({ rows: [] });

/** The options of a request that nothing ends. */
const options = { signal: new AbortController().signal };

// `.ci/run` installs it on Linux.
test.runIf(process.env['CI'] === 'true' && process.platform === 'linux')('a PostgreSQL is here to test with', () => {
  expect(missing).toBeUndefined();
});

describe.skipIf(missing !== undefined)('postgresStore() on a server', () => {
  let server: PostgresServer;
  let owner: pg.Pool;

  beforeAll(async () => {
    server = new PostgresServer();
    await server.start();
    owner = server.pool();
    await owner.query(postgresTable());
  });
  afterAll(() => server.remove());

  /** Transports share a pool, as those of one program do. */
  const transportAt = (key: string): Transport =>
    postgres({ query: queryOf(owner), key, advertise: { address: '127.0.0.1' } });
  /** A store on its own pool. */
  const storeAt = (key: string, config: pg.PoolConfig = {}, table?: string): LeaseStore =>
    postgresStore({ query: queryOf(server.pool(config)), key, table });
  const create = (): readonly [LeaseStore, LeaseStore] => {
    const key = randomUUID();
    return [storeAt(key), storeAt(key)];
  };
  const expire = (key: string): Promise<unknown> =>
    owner.query(`UPDATE socket_singleton_lease SET expires = clock_timestamp() WHERE key = $1`, [key]);

  describe('leaseGuarantees()', () => {
    let passed = 0;
    /** Leases run 200 times as fast; a watcher polls in real time. */
    const time = {
      now: () => performance.now() + passed,
      async wait(ms: number) {
        passed += ms;
        const text = `UPDATE socket_singleton_lease SET expires = expires - $1::float8 * interval '1 millisecond'`;
        await owner.query(text, [ms]);
        await setTimeout(ms / 200);
      },
    };
    for (const { title, check } of leaseGuarantees({ create, ttl: TTL, time })) test(title, check);
  });

  it('gives the key to one of several that ask at once, and the same grant to its value again', async () => {
    const key = randomUUID();
    const stores = Array.from({ length: 8 }, () => storeAt(key, { max: 1 }));
    for (let round = 0, last = 0; round < 10; round += 1) {
      const grants = await Promise.all(stores.map((store, index) => store.acquire(`value ${index}`, TTL, options)));
      const [grant, ...others] = grants.filter((one) => one !== undefined);
      expect(others).toEqual([]);
      expect(grant?.token).toBeGreaterThan(last);
      const winner = grants.findIndex((one) => one !== undefined);
      const held = { value: `value ${winner}`, token: grant?.token };
      const reads = await Promise.all(stores.map((store) => store.read(options)));
      expect(reads).toEqual(stores.map(() => held));
      const again = await Promise.all(stores.map((store) => store.acquire(held.value, TTL, options)));
      expect(again.map((one) => one?.token)).toEqual(stores.map(() => held.token));
      last = Number(grant?.token);
      await (round % 2 ? expire(key) : grant?.release(options));
    }
  });

  it('has larger tokens after a release, an expiry, an eviction, and the loss of the row or of its last changes', async () => {
    const store = storeAt(randomUUID());
    const key = store.endpoint.replace('postgres:', '');
    const first = await acquired(store);
    const ways: ((grant: LeaseGrant) => unknown)[] = [
      (grant) => grant.release(options),
      () => expire(key),
      ({ token }) => store.evict?.(token, options),
      () => owner.query('DELETE FROM socket_singleton_lease WHERE key = $1', [key]),
      () => owner.query('UPDATE socket_singleton_lease SET token = 1, value = NULL WHERE key = $1', [key]),
    ];
    let last = first;
    for (const free of ways) {
      await free(last);
      expect(await store.read(options)).toBeUndefined();
      expect(await last.renew(options)).toBe(false);
      const next = await acquired(store);
      expect(next.token).toBeGreaterThan(last.token);
      last = next;
    }
  });

  it('has larger tokens if the clock of the server is behind the last one', async () => {
    const key = randomUUID();
    const [store, token] = [storeAt(key), Number.MAX_SAFE_INTEGER - 4];
    await owner.query(`INSERT INTO socket_singleton_lease VALUES ($1, NULL, $2, 'infinity')`, [key, token]);
    const first = await acquired(store);
    await first.release(options);
    const second = await acquired(store);
    await expire(key);
    const third = await acquired(store, 'another');
    await store.evict?.(third.token, options);
    const fourth = await acquired(store);
    expect([first, second, third, fourth].map((grant) => grant.token - token)).toEqual([1, 2, 3, 4]);
  });

  it('refuses a token that is no safe integer', async () => {
    const key = randomUUID();
    const token = `${2n ** 53n}`;
    await owner.query(`INSERT INTO socket_singleton_lease VALUES ($1, 'x', $2, 'infinity')`, [key, token]);
    const message = expect.stringContaining('has no token from 1 to 2 ** 53 - 1');
    const error = { code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE', message };
    await expect(storeAt(key).read(options)).rejects.toMatchObject(error);
    await expect(storeAt(key).acquire('x', TTL, options)).rejects.toMatchObject(error);
  });

  it('gives the expired key to its last value with a new token', async () => {
    const key = randomUUID();
    const grant = await acquired(storeAt(key));
    await expire(key);
    expect((await acquired(storeAt(key))).token).toBeGreaterThan(grant.token);
  });

  it('sets the expiry to the ttl from when it was asked, and renews it', async () => {
    const key = randomUUID();
    const store = storeAt(key);
    /** Milliseconds from a time of the server to the expiry. */
    const left = async (since: unknown): Promise<number> => {
      const text = `SELECT extract(epoch FROM expires - $2)::float8 * 1000 AS ms FROM socket_singleton_lease WHERE key = $1`;
      return Number((await owner.query(text, [key, since])).rows[0]?.ms);
    };
    const before = await clockOf(owner);
    const grant = await acquired(store);
    const acquiredAt = await clockOf(owner);
    expect(await left(before)).toBeGreaterThanOrEqual(TTL);
    expect(await left(acquiredAt)).toBeLessThanOrEqual(TTL);
    expect(await grant.renew(options)).toBe(true);
    expect(await left(acquiredAt)).toBeGreaterThanOrEqual(TTL);
  });

  it('neither renews, releases nor evicts what another process holds', async () => {
    const key = randomUUID();
    const [store, other] = [storeAt(key), storeAt(key)];
    const grant = await acquired(store, 'old');
    await expire(key);
    const next = await acquired(other, 'new');
    expect(await store.acquire('old', TTL, options)).toBeUndefined();
    expect(await grant.renew(options)).toBe(false);
    await grant.release(options);
    await store.evict?.(grant.token, options);
    expect(await store.read(options)).toEqual({ value: 'new', token: next.token });
    expect(await next.renew(options)).toBe(true);
  });

  it('does not renew a released lease', async () => {
    const grant = await acquired(storeAt(randomUUID()));
    await grant.release(options);
    expect(await grant.renew(options)).toBe(false);
  });

  it('keeps keys apart, and what looks like SQL as it is', async () => {
    const [key, other] = [`'; DROP TABLE x; -- "$1" ${randomUUID()}`, randomUUID()];
    const value = `'; DROP TABLE "socket_singleton_lease"; -- $2 ü 😀`;
    await acquired(storeAt(key), value);
    expect(await storeAt(key).read(options)).toMatchObject({ value });
    expect(await storeAt(other).read(options)).toBeUndefined();
  });

  it('uses the table of a schema, in the case that was given', async () => {
    const table = 'Ops.Lease_1';
    await owner.query('CREATE SCHEMA "Ops"');
    await owner.query(postgresTable(table));
    await owner.query(postgresTable(table));
    const { token } = await acquired(storeAt('key', {}, table));
    const { rows } = await owner.query('SELECT token FROM "Ops"."Lease_1"');
    expect(rows).toEqual([{ token: String(token) }]);
  });

  it('works with a client that reads bigint as a BigInt or a number', async () => {
    for (const parse of [BigInt, Number]) {
      const types = { getTypeParser: (id: number) => (id === 20 ? parse : pg.types.getTypeParser(id)) };
      const store = storeAt(randomUUID(), { types });
      const { token } = await acquired(store);
      expect(await store.read(options)).toEqual({ value: VALUE, token });
    }
  });

  it('fails for good, and says what to do, if the table is missing or another one', async () => {
    await owner.query('CREATE TABLE other (key text, value text)');
    await owner.query('CREATE TABLE no_key (key text, value text, token bigint, expires timestamptz)');
    await expectFinalErrors(storeAt('key', {}, 'nowhere'), '42P01', 'there is no table "nowhere". Run the statement');
    await expectFinalErrors(storeAt('key', {}, 'nowhere.lease'), '42P01', 'there is no table "nowhere"."lease".');
    await expectFinalErrors(storeAt('key', {}, 'other'), '42703', 'the table "other" has other columns');
    await expectFinalErrors(storeAt('key', {}, 'no_key'), '42P10', 'or no primary key', ['acquire']);
  });

  it('fails for good if the role has too few rights, and needs no more than it names', async () => {
    await owner.query('CREATE ROLE program LOGIN');
    const store = storeAt(randomUUID(), { user: 'program' });
    const rights = 'GRANT SELECT, INSERT, UPDATE ON "socket_singleton_lease"';
    await expectFinalErrors(store, '42501', rights);
    await owner.query('GRANT SELECT ON "socket_singleton_lease" TO program');
    expect(await store.read(options)).toBeUndefined();
    await expectFinalErrors(store, '42501', rights, ['acquire', 'evict']);
    await owner.query(`${rights} TO program`);
    const grant = await acquired(store);
    expect(await grant.renew(options)).toBe(true);
    await grant.release(options);
  });

  it('fails for good if the password is wrong or the role is unknown, and names neither', async () => {
    await owner.query(`CREATE ROLE locked LOGIN PASSWORD 'right'`);
    const password = 'opensesame';
    const store = storeAt('key', { user: 'locked', password });
    await expectFinalErrors(store, '28P01', 'the server refused the role or its password');
    const error = await failureOf(store.read(options));
    expect(inspect(error, { depth: null, showHidden: true })).not.toContain(password);
    await expectFinalErrors(storeAt('key', { user: 'stranger' }), '28000', 'refused the role or its password');
  });

  it('fails for good to write where transactions are read-only', async () => {
    const key = randomUUID();
    const store = storeAt(key, { options: '-c default_transaction_read_only=on' });
    await expectFinalErrors(store, '25006', 'Connect to the primary', ['acquire', 'evict']);
    const { token } = await acquired(storeAt(key));
    // Some that only deliver launches may have no more rights.
    expect(await store.read(options)).toEqual({ value: VALUE, token });
  });

  it('passes other errors on as they are, so that the caller tries again', async () => {
    const key = randomUUID();
    const pool = server.pool({ options: '-c lock_timeout=1ms' });
    const store = postgresStore({ query: queryOf(pool), key });
    const grant = await acquired(store);
    const locker = await owner.connect();
    await locker.query('BEGIN');
    await locker.query('SELECT FROM socket_singleton_lease WHERE key = $1 FOR UPDATE', [key]);
    const error = await failureOf(grant.renew(options));
    await locker.query('COMMIT');
    locker.release();
    expect(error).toMatchObject({ code: '55P03' });
    expect(error).not.toBeInstanceOf(SingletonError);
    expect(await grant.renew(options)).toBe(true);
  });

  it('shows the value in no error', async () => {
    const stores = [storeAt('key', {}, 'nowhere'), storeAt('key', { user: 'stranger' }), storeAt('key', { port: 1 })];
    const value = `value ${randomUUID()}`;
    for (const store of stores) {
      const error = await failureOf(store.acquire(value, TTL, options));
      expect(error).toBeInstanceOf(Error);
      expect(inspect(error, { depth: null, showHidden: true })).not.toContain(value);
    }
  });

  it('rejects with the reason of the signal, and ignores the answer that comes later', async () => {
    const key = randomUUID();
    const store = storeAt(key);
    const grant = await acquired(store);
    const locker = await owner.connect();
    await locker.query('BEGIN');
    await locker.query('SELECT FROM socket_singleton_lease WHERE key = $1 FOR UPDATE', [key]);
    const controller = new AbortController();
    const renewal = grant.renew({ signal: controller.signal });
    const reason = new Error('too late');
    controller.abort(reason);
    await expect(renewal).rejects.toBe(reason);
    await locker.query('COMMIT');
    locker.release();
    expect(await store.read(options)).toMatchObject({ token: grant.token });
  });

  describe('postgres()', () => {
    testTransport({
      create: () => {
        const key = randomUUID();
        return [transportAt(key), transportAt(key)];
      },
      capabilities: {
        reset: true,
        resources: { listener: 'TCPServerWrap', connection: 'TCPSocketWrap' },
        watch: true,
      },
    });

    it('delivers a launch to the host, whose address is in the row, and frees the row at its release', async () => {
      const key = randomUUID();
      const shared = { codec: json(), secret: 'as long as a secret should be' };
      const app = await startHost({ ...shared, transport: transportAt(key) });
      const dispatched = once(app, 'args');
      const receipt = await Singleton.send({ ...shared, transport: transportAt(key), args: ['hello'] });
      expect((await dispatched)[0]).toEqual(['hello']);
      const held = await storeAt(key).read(options);
      expect(receipt.outcome).toBe('delivered');
      expect(JSON.parse(held?.value ?? '')).toMatchObject({ address: '127.0.0.1' });
      await app.release();
      expect(await storeAt(key).read(options)).toBeUndefined();
    });
  });

  // The last one, since the server stays a replica.
  it('fails for good to read from a replica, which may be behind, and to write to it', async () => {
    const key = randomUUID();
    const store = storeAt(key);
    await acquired(store);
    await server.restartAsReplica();
    await expect(store.read(options)).rejects.toMatchObject({
      code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
      message: expect.stringContaining('the server is a replica'),
    });
    await expectFinalErrors(store, '25006', 'the server is a replica', ['acquire', 'evict']);
  });
});

describe('postgresStore()', () => {
  it('names its endpoint by the key', () => {
    expect(postgresStore({ query, key: 'acme/editor' }).endpoint).toBe('postgres:acme/editor');
  });

  it.each<[string, string, object]>([
    ['query', 'a function such as', { query: 'SELECT', key: 'k' }],
    ['key', 'a name of 1 to 255', { query, key: '' }],
    ['key', 'a name of 1 to 255', { query, key: 'a\0b' }],
    ['key', 'a name of 1 to 255', { query, key: '\uD800' }],
    ['key', 'a name of 1 to 255', { query, key: 'x'.repeat(256) }],
    ['key', 'a name of 1 to 255', { query }],
    ...['', '"', 'a"b', 'a.b.c', '.a', 'a.', '1a', 'a b', 'ä', 'x'.repeat(64), null].map((table) => {
      const row: [string, string, object] = ['table', 'the name of a table', { query, key: 'k', table }];
      return row;
    }),
  ])('refuses a wrong %s', (name, expected, given) => {
    expect(() => postgresStore(Object(given))).toThrow(`Option "${name}": expected ${expected}`);
  });

  it('refuses an option that it does not know', () => {
    expect(() => postgresStore(Object({ query, keys: 'k' }))).toThrow('Did you mean "key"?');
  });

  it('fails for good if query resolves to an array, as that of some clients does', async () => {
    const store = postgresStore({ query: () => Promise.resolve(Object([{ token: 1 }])), key: 'k' });
    await expect(store.acquire('v', TTL, options)).rejects.toMatchObject({
      code: 'ERR_SINGLETON_INVALID_OPTION',
      message: 'Option "query": expected a function that resolves to { rows: [...] }, got an array of 1.',
    });
  });

  it('rejects if query throws', async () => {
    const thrown = new Error('no pool');
    const store = postgresStore({
      query: () => {
        throw thrown;
      },
      key: 'k',
    });
    await expect(store.read(options)).rejects.toBe(thrown);
  });

  it('asks nothing if the signal has aborted', async () => {
    const asked = vi.fn(query);
    const reason = new Error('over');
    await expect(postgresStore({ query: asked, key: 'k' }).read({ signal: AbortSignal.abort(reason) })).rejects.toBe(
      reason,
    );
    expect(asked).not.toHaveBeenCalled();
  });

  it('handles a rejection that comes after the abort', async () => {
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    onTestFinished(() => void process.off('unhandledRejection', unhandled));
    const answer = deferred();
    const controller = new AbortController();
    const read = postgresStore({ query: () => answer.promise, key: 'k' }).read({ signal: controller.signal });
    controller.abort(new Error('too late'));
    await expect(read).rejects.toThrow('too late');
    answer.reject(new Error('connection lost'));
    await turn();
    await turn();
    expect(unhandled).not.toHaveBeenCalled();
  });

  describe('watch()', () => {
    afterEach(() => void vi.useRealTimers());

    it('reports what the first read finds, and each change after it', async () => {
      const { answer, onChange } = watched();
      const counts: number[] = [];
      for (const token of ['1', '1', null, null, '2', '3', 'error', '3', 'error', null]) {
        await answer(token);
        counts.push(onChange.mock.calls.length);
      }
      expect(counts).toEqual([1, 1, 2, 2, 3, 4, 4, 4, 4, 5]);
    });

    it('asks again only after the answer', async () => {
      const { answers, answer } = watched();
      await vi.advanceTimersByTimeAsync(10_000);
      expect(answers).toHaveLength(1);
      await answer('1');
      await vi.advanceTimersByTimeAsync(1000);
      expect(answers).toHaveLength(2);
    });

    it('calls nothing back after close(), and asks no more', async () => {
      const { answers, answer, onChange, close } = watched();
      await vi.advanceTimersByTimeAsync(1000);
      close();
      await answer('1');
      await vi.advanceTimersByTimeAsync(10_000);
      expect(onChange).not.toHaveBeenCalled();
      expect(answers).toHaveLength(1);
      expect(vi.getTimerCount()).toBe(0);
    });

    it('does not keep the process alive', () => {
      const before = process.getActiveResourcesInfo();
      const watcher = postgresStore({ query, key: 'k' }).watch(() => {});
      expect(process.getActiveResourcesInfo()).toEqual(before);
      watcher.close();
    });
  });
});

/** A watcher of a query whose answers the test gives. */
function watched(): Watched {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const answers: Deferred[] = [];
  const onChange = vi.fn<() => void>();
  const watcher = postgresStore({
    query: () => {
      const answer = deferred();
      answers.push(answer);
      return answer.promise;
    },
    key: 'k',
  }).watch(onChange);
  return {
    answers,
    onChange,
    close: () => watcher.close(),
    answer: async (token) => {
      await vi.advanceTimersByTimeAsync(1000);
      const value = token === null ? null : 'x';
      if (token === 'error') answers.at(-1)?.reject(new Error('connection lost'));
      else answers.at(-1)?.resolve({ rows: [{ value, token, replica: false }] });
      await vi.advanceTimersByTimeAsync(0);
    },
  };
}

describe('postgres()', () => {
  it('gives the key back if the statement that acquires it is answered after the signal has aborted', async () => {
    const [acquiring, clearing] = [deferred(), deferred()];
    const controller = new AbortController();
    const transport = postgres({
      query: (text, values) => {
        if (text.startsWith('INSERT')) {
          controller.abort(new Error('given up'));
          return acquiring.promise;
        }
        if (text.includes('SET value = NULL')) clearing.resolve({ rows: [{ values }] });
        return Promise.resolve({ rows: [{ value: null, replica: false }] });
      },
      key: 'k',
      advertise: { address: '127.0.0.1' },
    });
    const listening = transport.listen(unexpected, { ...listenOptions(), signal: controller.signal });
    await expect(listening).rejects.toThrow('given up');
    acquiring.resolve({ rows: [{ token: '7' }] });
    expect(await clearing.promise).toEqual({ rows: [{ values: ['k', 7] }] });
  });

  it('has the options of the store and of the lease, and no other', () => {
    const given = { query, key: 'k', table: 'a.b', ttl: 2000, listen: { port: 0 }, advertise: { address: '10.1.2.3' } };
    expect(postgres(given)).toMatchObject({ endpoint: 'postgres:k', reach: 'network', takeoverTime: 7000 });
    expect(() => postgres({ ...given, ttl: 1 })).toThrow('Option "ttl"');
    expect(() => postgres({ ...given, table: '"' })).toThrow('Option "table"');
    expect(() => postgres(Object({ ...given, store: {} }))).toThrow('Option "store" is unknown.');
  });
});

describe('postgresTable()', () => {
  it('refuses a name that would have to be escaped', () => {
    expect(() => postgresTable('a"b')).toThrow('Option "table"');
  });
});

interface Watched {
  readonly answers: readonly unknown[];
  readonly onChange: Mock<() => void>;
  readonly close: () => void;
  /** Waits for the next poll, and answers it. */
  readonly answer: (token: string | null) => Promise<void>;
}

interface Deferred {
  readonly promise: Promise<{ rows: object[] }>;
  readonly resolve: (result: { rows: object[] }) => void;
  readonly reject: (error: Error) => void;
}

function deferred(): Deferred {
  const result = new EventEmitter<{ resolve: [{ rows: object[] }]; reject: [Error] }>();
  const promise = new Promise<{ rows: object[] }>((resolve, reject) => {
    result.once('resolve', resolve).once('reject', reject);
  });
  return {
    promise,
    resolve: (rows) => void result.emit('resolve', rows),
    reject: (error) => void result.emit('reject', error),
  };
}

function queryOf(pool: pg.Pool): PostgresQuery {
  return (text, values) => pool.query(text, values);
}

/** The time of the server, as text: a Date has no microseconds. */
async function clockOf(pool: pg.Pool): Promise<unknown> {
  return (await pool.query('SELECT clock_timestamp()::text AS now')).rows[0]?.now;
}

async function acquired(store: LeaseStore, value = VALUE): Promise<LeaseGrant> {
  const grant = await store.acquire(value, TTL, options);
  if (!grant) throw new Error(`${store.endpoint} is held`);
  return grant;
}

async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}

/** Expects requests to reject with a final error whose cause has this SQLSTATE. */
async function expectFinalErrors(
  store: LeaseStore,
  sqlState: string,
  message: string,
  requests: readonly ('acquire' | 'read' | 'evict')[] = ['acquire', 'read', 'evict'],
): Promise<void> {
  const ask = {
    acquire: () => store.acquire(VALUE, TTL, options),
    read: () => store.read(options),
    evict: async () => store.evict?.(1, options),
  };
  for (const request of requests) {
    const error = await failureOf(ask[request]());
    expect(error).toBeInstanceOf(SingletonError);
    expect(error).toMatchObject({
      code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
      message: expect.stringMatching(/^Cannot use postgres:\S+: .*\.$/),
      cause: { code: sqlState },
    });
    expect(error).toMatchObject({ message: expect.stringContaining(message) });
  }
}
