import { EventEmitter, once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { SingletonError } from '../../../src/interface/errors.ts';
import { Holding } from '../../../src/transports/lease/holding.ts';
import { resolveOptions } from '../../../src/transports/lease/options.ts';
import { pass, testClock, type TestClock, useFakeTimers } from '../../helpers/lease-time.ts';
import { type Faults, memoryLeaseStore, MemoryLeaseServer } from '../../helpers/memory-lease-store.ts';

const TTL = 4000;
/** Milliseconds for which a lease is valid. */
const VALID = 3600;

interface Subject {
  readonly holding: Holding;
  readonly server: MemoryLeaseServer;
  readonly clock: TestClock;
  readonly faults: Faults;
  readonly warnings: readonly SingletonError[];
  readonly lost: () => number;
}

beforeEach(useFakeTimers);
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe('Holding', () => {
  test('renews its lease four times in the TTL, each time with a read', async () => {
    const { holding, server, warnings } = await hold();
    await pass(10 * TTL);
    expect(server.served).toMatchObject({ acquire: 1, renew: 40, read: 40 });
    expect(holding.isHeld()).toBe(true);
    expect(warnings).toEqual([]);
  });

  test('is valid for 90 % of the TTL from the first question, also if no timer runs', async () => {
    const { holding, clock } = await hold({ answeredAfter: 500 });
    clock.sleep(VALID - 500 - 1);
    expect(holding.isHeld()).toBe(true);
    clock.sleep(1);
    expect(holding.isHeld()).toBe(false);
    clock.sleep(-1000);
    expect(holding.isHeld()).toBe(false);
  });

  test('renews at once if the answer to its first question took a quarter of the TTL', async () => {
    const { holding, server, clock } = await hold({ answeredAfter: 1000 });
    expect(server.served).toMatchObject({ renew: 1, read: 1 });
    clock.sleep(VALID - 1);
    expect(holding.isHeld()).toBe(true);
  });

  test('counts the validity from when the renewal was asked', async () => {
    const { holding, server, clock, faults } = await hold();
    faults.after = (what) => (what === 'renew' ? new Promise((resolve) => setTimeout(resolve, 700)) : undefined);
    await pass(1700);
    expect(server.served).toMatchObject({ renew: 1, read: 1 });
    clock.sleep(1000 + VALID - 1700 - 1);
    expect(holding.isHeld()).toBe(true);
    clock.sleep(1);
    expect(holding.isHeld()).toBe(false);
  });

  test('is lost once, with one warning of failures and one of the loss, when the store cannot be reached', async () => {
    const { holding, faults, warnings, lost } = await hold();
    faults.before = unreachable;
    await pass(VALID - 1);
    expect(holding.isHeld()).toBe(true);
    expect(warnings).toMatchObject([
      {
        code: 'ERR_SINGLETON_CONNECTION_FAILED',
        message: expect.stringMatching(/memory:key.*unreachable.*tries again/),
      },
    ]);
    await pass(1);
    expect(holding.isHeld()).toBe(false);
    await pass(10 * TTL);
    expect(warnings.slice(1)).toMatchObject([
      {
        code: 'ERR_SINGLETON_RELEASED',
        message: expect.stringMatching(/memory:key is lost: it was not renewed in time/),
        cause: { message: 'unreachable' },
      },
    ]);
    expect(lost()).toBe(1);
  });

  test('goes on when the store is back, and warns again of the next failure', async () => {
    const { holding, faults, warnings } = await hold();
    for (const series of [1, 2]) {
      faults.before = unreachable;
      await pass(TTL / 2);
      faults.before = undefined;
      await pass(TTL);
      expect(warnings.length).toBe(series);
    }
    expect(holding.isHeld()).toBe(true);
  });

  test('does not wait for an answer longer than it is valid, and tries again meanwhile', async () => {
    const { holding, faults, lost } = await hold();
    const asked: string[] = [];
    faults.before = (what) => {
      asked.push(what);
      return new Promise(() => {});
    };
    await pass(VALID);
    expect(asked).toEqual(['renew', 'renew']);
    expect(holding.isHeld()).toBe(false);
    expect(lost()).toBe(1);
  });

  test('does not count a renewal if the read after it fails', async () => {
    const { holding, faults } = await hold();
    faults.before = (what) => (what === 'read' ? unreachable() : undefined);
    await pass(VALID);
    expect(holding.isHeld()).toBe(false);
  });

  test('is lost when the read after a confirmed renewal shows another token', async () => {
    const { holding, server, warnings, lost } = await hold();
    server.confirmsLostRenewals = true;
    server.isSilent = true;
    server.write('{}', TTL);
    expect(holding.isHeld()).toBe(true);
    await pass(1000);
    expect(holding.isHeld()).toBe(false);
    expect(lost()).toBe(1);
    expect(warnings).toMatchObject([{ message: expect.stringMatching(/another process holds the key/) }]);
  });

  test('is lost when the store refuses a renewal', async () => {
    const { holding, server, lost } = await hold();
    server.isSilent = true;
    server.write('{}', TTL);
    await pass(1000);
    expect(server.served).toMatchObject({ renew: 1, read: 0 });
    expect(holding.isHeld()).toBe(false);
    expect(lost()).toBe(1);
  });

  test('is lost at once when the store reports that the key was deleted', async () => {
    const { holding, server, warnings, lost } = await hold();
    server.clear();
    await pass(0);
    expect(holding.isHeld()).toBe(false);
    expect(lost()).toBe(1);
    expect(warnings).toMatchObject([{ message: expect.stringMatching(/the key was deleted/) }]);
  });

  test('reads again if a change is reported during a read', async () => {
    const { holding, server, faults } = await hold();
    const gate = new EventEmitter();
    faults.after = () => once(gate, 'answer');
    server.report();
    await pass(0);
    faults.after = undefined;
    server.clear();
    gate.emit('answer');
    await pass(0);
    expect(holding.isHeld()).toBe(false);
  });

  test('keeps a lease that the store reports a change of, if it is still its own', async () => {
    const { holding, server, faults } = await hold();
    server.report();
    await pass(0);
    expect(server.served.read).toBe(1);
    faults.before = unreachable;
    server.report();
    await pass(0);
    expect(holding.isHeld()).toBe(true);
  });

  test('renews early, once, when the wall clock jumps ahead, and keeps the lease', async () => {
    const { holding, server, clock, lost } = await hold();
    clock.setWall(3_600_000);
    expect([holding.isHeld(), holding.isHeld()]).toEqual([true, true]);
    await pass(0);
    expect(server.served).toMatchObject({ renew: 1, read: 1 });
    clock.setWall(-7_200_000);
    expect(holding.isHeld()).toBe(true);
    await pass(0);
    expect(server.served.renew).toBe(1);
    expect(lost()).toBe(0);
  });

  test('asks the store only once for a jump of the wall clock if it cannot be reached', async () => {
    const { holding, clock, faults } = await hold();
    const before = vi.fn(unreachable);
    faults.before = before;
    clock.setWall(3_600_000);
    for (let count = 0; count < 10; count += 1) {
      expect(holding.isHeld()).toBe(true);
      await pass(0);
    }
    expect(before).toHaveBeenCalledTimes(1);
  });

  test('does not keep the process alive', async () => {
    const timers = vi.spyOn(globalThis, 'setTimeout');
    const { faults } = await hold();
    faults.before = () => new Promise(() => {});
    await pass(VALID - 1);
    const started = timers.mock.results.map(({ value }) => value);
    expect(started.length).toBeGreaterThan(4);
    expect(started.filter((timer) => timer.hasRef())).toEqual([]);
  });
});

describe('Holding.release', () => {
  test('frees the key, and ends the renewals and the watch', async () => {
    const { holding, server, lost } = await hold();
    expect(await holding.release()).toBeUndefined();
    expect(server.held).toBeUndefined();
    expect(server.watchers).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
    expect(holding.isHeld()).toBe(false);
    await pass(TTL);
    expect(lost()).toBe(0);
  });

  test('resolves to the error when the store cannot be reached, or does not answer', async () => {
    const first = await hold();
    first.faults.before = unreachable;
    expect(await first.holding.release()).toMatchObject({ message: 'unreachable' });
    const second = await hold();
    second.faults.before = () => new Promise(() => {});
    const released = second.holding.release();
    await pass(TTL / 3 + 1);
    expect(await released).toMatchObject({ message: expect.stringMatching(/did not answer within/) });
  });

  test('sends nothing after a loss', async () => {
    const { holding, server } = await hold();
    server.write('{}', TTL);
    await pass(0);
    expect(await holding.release()).toBeUndefined();
    expect(server.served.release).toBe(0);
  });
});

/** Holds the key of a new store. */
async function hold({ answeredAfter = 0 } = {}): Promise<Subject> {
  const server = new MemoryLeaseServer(() => performance.now());
  const clock = testClock();
  const faults: Faults = {};
  const store = memoryLeaseStore({ server, faults });
  const warnings: SingletonError[] = [];
  let lost = 0;
  const askedAt = clock.now();
  const grant = await store.acquire('value', TTL, { signal: new AbortController().signal });
  if (!grant) throw new Error('the key is held');
  clock.sleep(answeredAfter);
  const options = resolveOptions({ store, ttl: TTL }, clock);
  const holding = new Holding(grant, askedAt, options, {
    onWarning: (warning) => warnings.push(warning),
    onLost: () => (lost += 1),
  });
  holding.onBound();
  await holding.start(askedAt);
  return { holding, server, clock, faults, warnings, lost: () => lost };
}

async function unreachable(): Promise<never> {
  throw new Error('unreachable');
}
