import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { setTimeout } from 'node:timers/promises';
import { now as monotonic } from '../../interface/timers.ts';
import type { Guarantee } from '../compliance.ts';
import type { LeaseGrant, LeaseStore, StoreOptions } from './store.ts';

/** The store that the suite checks. */
export interface StoreUnderTest {
  /** Creates two stores of one key that nothing else uses, as two machines have them. Called once for each guarantee. */
  readonly create: () => readonly [LeaseStore, LeaseStore] | Promise<readonly [LeaseStore, LeaseStore]>;
  /**
   * Milliseconds of the leases that the suite acquires: the shortest that the store can have.
   * @default 2000
   */
  readonly ttl?: number | undefined;
  /**
   * The time of the store, if a test moves it.
   * @default the real time
   */
  readonly time?: StoreTime | undefined;
}

/** A time that a test moves. */
export interface StoreTime {
  /** Milliseconds that only grow. */
  now(): number;
  /** Lets the milliseconds pass. */
  wait(ms: number): Promise<unknown>;
}

/**
 * Returns the rules that every store of `lease()` must keep. It works with any test runner:
 * `for (const { title, check } of leaseGuarantees(…)) test(title, check)`.
 */
export function leaseGuarantees({ create, ttl = 2000, time = REAL_TIME }: StoreUnderTest): readonly Guarantee[] {
  return Object.entries(GUARANTEES).map(([title, check]) => ({
    title,
    check: async () => {
      const context = new StoreContext(await create(), ttl, time);
      try {
        await check(context);
      } finally {
        await context.cleanUp();
      }
    },
  }));
}

const REAL_TIME: StoreTime = { now: monotonic, wait: (ms) => setTimeout(ms) };

/** The part of the TTL by which two clocks may differ. */
const CLOCK_DIFFERENCE = 0.01;

/** What the check of one guarantee uses. `cleanUp` releases what it has acquired. */
class StoreContext {
  readonly one: LeaseStore;
  readonly other: LeaseStore;
  readonly ttl: number;
  readonly #time: StoreTime;
  readonly #grants: LeaseGrant[] = [];
  #values = 0;

  constructor([one, other]: readonly [LeaseStore, LeaseStore], ttl: number, time: StoreTime) {
    this.one = one;
    this.other = other;
    this.ttl = ttl;
    this.#time = time;
  }

  async cleanUp(): Promise<void> {
    for (const grant of this.#grants) await grant.release(options());
  }

  /** A value that nothing else has, with bytes that a store may have to escape. */
  value(): string {
    this.#values += 1;
    return JSON.stringify({ number: this.#values, text: 'ä"\'\\\n\u{1f511}' });
  }

  async tryAcquire(store: LeaseStore, value = this.value()): Promise<LeaseGrant | undefined> {
    const grant = await store.acquire(value, this.ttl, options());
    if (grant) this.#grants.push(grant);
    return grant;
  }

  async acquire(store: LeaseStore, value = this.value()): Promise<LeaseGrant> {
    const grant = await this.tryAcquire(store, value);
    if (!grant)
      throw new Error(`Could not acquire ${store.endpoint}: it is held. Let create() choose a key that is free.`);
    return grant;
  }

  /** Acquires as soon as the lease before has expired. */
  async acquireNext(store: LeaseStore): Promise<LeaseGrant> {
    for (;;) {
      const grant = await this.tryAcquire(store);
      if (grant) return grant;
      await this.wait(this.ttl / 20);
    }
  }

  wait(ms: number): Promise<unknown> {
    return this.#time.wait(ms);
  }

  now(): number {
    return this.#time.now();
  }

  /** That the TTL has passed since the question. */
  assertExpired(askedAt: number): void {
    const elapsed = this.now() - askedAt;
    ok(elapsed >= this.ttl * (1 - CLOCK_DIFFERENCE), `The lease of ${this.ttl} ms expired after ${elapsed} ms.`);
  }
}

const GUARANTEES: Record<string, (context: StoreContext) => Promise<void>> = {
  async 'names the same endpoint on both stores'({ one, other }) {
    equal(other.endpoint, one.endpoint);
  },
  async 'grants the key to exactly one of many simultaneous acquire() calls'(context) {
    const stores = Array.from({ length: 10 }, (_, index) => (index % 2 === 0 ? context.one : context.other));
    const grants = await Promise.all(stores.map((store) => context.tryAcquire(store)));
    equal(grants.filter((grant) => grant !== undefined).length, 1);
  },
  async 'grants the same again to acquire() with the value that is held, and nothing to another value'(context) {
    const value = context.value();
    const { token } = await context.acquire(context.one, value);
    const again = await context.acquire(context.one, value);
    equal(again.token, token);
    equal(await context.tryAcquire(context.one), undefined);
    equal(await context.tryAcquire(context.other), undefined);
    equal(await again.renew(options()), true);
  },
  async 'reads what acquire() has written, and nothing before it'(context) {
    const value = context.value();
    equal(await context.other.read(options()), undefined);
    const { token } = await context.acquire(context.one, value);
    ok(Number.isSafeInteger(token));
    deepEqual(await context.other.read(options()), { value, token });
    deepEqual(await context.one.read(options()), { value, token });
  },
  async 'frees the key on release() at once, for a holder with a larger token'(context) {
    const first = await context.acquire(context.one);
    await first.release(options());
    equal(await context.other.read(options()), undefined);
    ok((await context.acquire(context.other)).token > first.token);
  },
  async 'frees the key when the lease has expired, not before its TTL, for a holder with a larger token'(context) {
    const askedAt = context.now();
    const first = await context.acquire(context.one);
    const next = await context.acquireNext(context.other);
    context.assertExpired(askedAt);
    ok(next.token > first.token);
    equal((await context.one.read(options()))?.token, next.token);
  },
  async 'extends the lease on renew() to the TTL from then, with the same token'(context) {
    const first = await context.acquire(context.one);
    await context.wait(context.ttl / 2);
    const askedAt = context.now();
    equal(await first.renew(options()), true);
    equal((await context.other.read(options()))?.token, first.token);
    await context.acquireNext(context.other);
    context.assertExpired(askedAt);
  },
  async 'resolves renew() to false after a release and after an expiry'(context) {
    const first = await context.acquire(context.one);
    await first.release(options());
    equal(await first.renew(options()), false);
    const second = await context.acquire(context.one);
    while (await context.other.read(options())) await context.wait(context.ttl / 20);
    equal(await second.renew(options()), false);
    equal(await context.other.read(options()), undefined);
  },
  async 'lets renew() and release() of an earlier holder do nothing to the next one'(context) {
    const first = await context.acquire(context.one);
    await first.release(options());
    const { token } = await context.acquire(context.other);
    equal(await first.renew(options()), false);
    await first.release(options());
    equal((await context.one.read(options()))?.token, token);
  },
  async 'evicts the holder with the token and no other, for a holder with a larger token'(context) {
    const { one, other } = context;
    if (!other.evict) return;
    const grant = await context.acquire(one);
    const { token } = grant;
    await other.evict(token + 1, options());
    await other.evict(token - 1, options());
    equal((await one.read(options()))?.token, token);
    await other.evict(token, options());
    equal(await one.read(options()), undefined);
    ok((await context.acquire(other)).token > token);
    equal(await grant.renew(options()), false);
  },
  async 'calls back watch() when the key has become free, and not after close()'(context) {
    let count = 0;
    const watcher = context.other.watch(() => (count += 1));
    // A watch may miss what happens before it has reached the store.
    while (count === 0) {
      const grant = await context.acquire(context.one);
      await context.wait(context.ttl / 4);
      count = 0;
      await grant.release(options());
      await context.wait(context.ttl / 4);
    }
    watcher.close();
    const before = count;
    await (await context.acquire(context.one)).release(options());
    await context.wait(context.ttl / 4);
    equal(count, before);
  },
  async 'rejects a request whose signal has aborted'({ one }) {
    const signal = AbortSignal.abort(new Error('no more'));
    await rejects(one.read({ signal }));
    await rejects(one.acquire('value', 2000, { signal }));
    equal(await one.read(options()), undefined);
  },
};

/** No request takes that long. */
const REQUEST_TIMEOUT = 10_000;

function options(): StoreOptions {
  return { signal: AbortSignal.timeout(REQUEST_TIMEOUT) };
}
