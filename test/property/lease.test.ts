import fc from 'fast-check';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { acquire } from '../../src/transports/lease/acquire.ts';
import type { Clock } from '../../src/transports/lease/clock.ts';
import type { Holding } from '../../src/transports/lease/holding.ts';
import { resolveOptions, type ResolvedLeaseOptions } from '../../src/transports/lease/options.ts';
import type { HeldLease, LeaseStore } from '../../src/transports/lease/store.ts';
import { useFakeTimers } from '../helpers/lease-time.ts';
import { memoryLeaseStore, MemoryLeaseServer } from '../helpers/memory-lease-store.ts';

const TTL = 4000;
const MACHINES = 3;

type LeaseAction =
  | { readonly do: 'acquire' | 'release' | 'cut' | 'mend'; readonly machine: number }
  | { readonly do: 'revoke' }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'answer'; readonly count: number };

/** What a run is drawn from, besides the order of the requests and answers. */
interface LeaseRules {
  /** How fast the clock of each machine runs. */
  readonly rates: readonly number[];
  /** Which requests and answers are lost. */
  readonly losses: readonly boolean[];
  readonly confirmsLostRenewals: boolean;
  readonly isSilent: boolean;
}

/** A fault in the code of a host. */
interface Mutant {
  readonly clock?: (clock: Clock) => Clock;
  readonly store?: (store: LeaseStore) => LeaseStore;
}

const actions = (): fc.Arbitrary<LeaseAction[]> => {
  const machine = fc.nat(MACHINES - 1);
  const one = fc.oneof(
    fc.record({ do: fc.constantFrom('acquire', 'acquire', 'release', 'cut', 'mend'), machine }),
    fc.record({ do: fc.constant('revoke') }),
    fc.record({ do: fc.constant('pass'), ms: fc.integer({ min: 1, max: 1.5 * TTL }) }),
    fc.record({ do: fc.constant('answer'), count: fc.integer({ min: 1, max: 6 }) }),
  );
  return fc.array(one, { minLength: 5, maxLength: 40, size: 'max' });
};

const rules = (): fc.Arbitrary<LeaseRules> =>
  fc.record({
    rates: fc.array(fc.constantFrom(0.92, 1, 1.08), { minLength: MACHINES, maxLength: MACHINES }),
    losses: fc.array(
      fc.oneof({ arbitrary: fc.constant(false), weight: 5 }, { arbitrary: fc.constant(true), weight: 1 }),
      { minLength: 1, maxLength: 20 },
    ),
    confirmsLostRenewals: fc.boolean(),
    isSilent: fc.boolean(),
  });

beforeEach(() => {
  useFakeTimers();
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe('the lease of one key on several machines', () => {
  test('is valid on one at a time, with tokens that grow, whatever is lost or late', async () => {
    await fc.assert(property({}), { numRuns: 200 });
  });

  test.each<[string, Mutant]>([
    [
      'that counts its lease for twice its TTL',
      { clock: (clock) => ({ now: () => clock.now() / 2, wall: () => clock.wall() / 2 }) },
    ],
    ['that counts a renewal without the read after it', { store: withoutReads }],
  ])('is not, for a host %s', async (_, mutant) => {
    const { failed } = await fc.check(property(mutant), { numRuns: 3000, endOnFailure: true });
    expect(failed).toBe(true);
  });
});

function property(mutant: Mutant): fc.IAsyncProperty<[fc.Scheduler, LeaseRules, LeaseAction[]]> {
  return fc.asyncProperty(fc.scheduler(), rules(), actions(), async (scheduler, given, steps) => {
    const fleet = new Fleet(scheduler, given, mutant);
    try {
      for (const step of steps) await fleet.run(step);
    } finally {
      await fleet.end();
    }
  });
}

class Fleet {
  readonly #scheduler: fc.Scheduler;
  readonly #server = new MemoryLeaseServer(() => performance.now());
  readonly #losses: readonly boolean[];
  readonly #machines: Machine[];
  readonly #controller = new AbortController();
  #requests = 0;
  #lastToken = 0;
  /** When each token was revoked. */
  readonly #revokedAt = new Map<number, number>();
  #failure: unknown;

  constructor(scheduler: fc.Scheduler, { rates, losses, ...server }: LeaseRules, mutant: Mutant) {
    this.#scheduler = scheduler;
    this.#losses = losses;
    Object.assign(this.#server, server);
    this.#machines = rates.map((rate) => this.#machine(rate, mutant));
  }

  async run(step: LeaseAction): Promise<void> {
    if (step.do === 'pass') await this.#pass(step.ms);
    else if (step.do === 'answer') await this.#answer(step.count);
    else if (step.do === 'revoke') this.#revoke();
    else this.#act(step.do, this.#machines[step.machine]);
    await this.#settle();
  }

  async end(): Promise<void> {
    this.#controller.abort();
    for (const machine of this.#machines) {
      machine.isCut = true;
      void machine.holding?.release();
    }
    // Requests are still waiting for their turn.
    await vi.advanceTimersByTimeAsync(TTL);
    vi.clearAllTimers();
  }

  #machine(rate: number, { clock: mutateClock = same, store: mutateStore = same }: Mutant): Machine {
    const clock = mutateClock({ now: () => performance.now() * rate, wall: () => performance.now() * rate });
    const machine: Machine = { isCut: false, isAcquiring: false };
    const reach = async (what: string): Promise<void> => {
      this.#requests += 1;
      const isLost = this.#losses[this.#requests % this.#losses.length];
      await this.#scheduler.schedule(Promise.resolve(), what);
      if (isLost || machine.isCut) throw new Error('lost');
    };
    const faults = { before: reach, after: (what: string) => reach(`answer to ${what}`) };
    const store = mutateStore(memoryLeaseStore({ server: this.#server, faults }));
    machine.options = resolveOptions({ store, ttl: TTL }, clock);
    return machine;
  }

  #act(what: 'acquire' | 'release' | 'cut' | 'mend', machine: Machine | undefined): void {
    if (!machine) return;
    if (what === 'acquire') void this.#acquire(machine);
    else if (what === 'release') void machine.holding?.release();
    else machine.isCut = what === 'cut';
  }

  async #acquire(machine: Machine): Promise<void> {
    if (machine.isAcquiring || machine.holding?.isHeld() || !machine.options) return;
    machine.isAcquiring = true;
    const listenOptions = { onWarning() {}, onLost() {}, signal: this.#controller.signal };
    const target = { address: '10.0.0.1', port: 7001 };
    try {
      machine.holding = await acquire(machine.options, target, listenOptions);
      if (!machine.holding?.isHeld()) return;
      const { token } = machine.holding;
      // The answer to one that was revoked may arrive after the answer to the next one.
      if (!this.#revokedAt.has(token)) expect(token).toBeGreaterThan(this.#lastToken);
      this.#lastToken = Math.max(this.#lastToken, token);
    } catch (error) {
      if (!this.#controller.signal.aborted) this.#failure ??= error;
    } finally {
      machine.isAcquiring = false;
    }
  }

  /** The store forgets a lease before its time, by a fault or because a person has deleted it. */
  #revoke(): void {
    const { held } = this.#server;
    if (held) this.#revokedAt.set(held.token, performance.now());
    this.#server.clear();
  }

  async #pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= TTL / 20) {
      await vi.advanceTimersByTimeAsync(Math.min(left, TTL / 20));
      this.#check();
    }
  }

  async #answer(count: number): Promise<void> {
    for (let each = 0; each < count && this.#scheduler.count() > 0; each += 1) {
      await this.#scheduler.waitOne();
      await this.#settle();
    }
  }

  async #settle(): Promise<void> {
    for (let turn = 0; turn < 2; turn += 1) await setImmediate();
    this.#check();
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure;
    const valid = this.#machines.flatMap(({ holding }) => (holding?.isHeld() ? [holding.token] : []));
    expect(valid.filter((token) => !this.#revokedAt.has(token)).length).toBeLessThanOrEqual(1);
    // Such a host goes on until it asks, but no longer than for what was left of its lease.
    for (const token of valid) expect(performance.now() - (this.#revokedAt.get(token) ?? Infinity)).toBeLessThan(TTL);
  }
}

interface Machine {
  isCut: boolean;
  isAcquiring: boolean;
  options?: ResolvedLeaseOptions;
  holding?: Holding | undefined;
}

function same<T>(value: T): T {
  return value;
}

/** A host of this store sees its own token in every read. */
function withoutReads(store: LeaseStore): LeaseStore {
  let own: HeldLease | undefined;
  return {
    ...store,
    async acquire(value, ttl, options) {
      const grant = await store.acquire(value, ttl, options);
      if (grant) own = { value, token: grant.token };
      return grant;
    },
    read: async () => own,
  };
}
