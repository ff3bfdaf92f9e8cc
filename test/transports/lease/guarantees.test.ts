import { describe, expect, test } from 'vitest';
import { leaseGuarantees, type LeaseStore } from '../../../src/transports/lease.ts';
import { memoryLeaseStore, MemoryLeaseServer } from '../../helpers/memory-lease-store.ts';

/** A store that breaks rules. */
type Break = (store: LeaseStore, server: MemoryLeaseServer) => LeaseStore;

describe('leaseGuarantees() of the store in memory', () => {
  for (const { title, check } of guaranteesOf((store) => store)) test(title, check);
});

describe('leaseGuarantees() finds a store', () => {
  test.each<[string, RegExp, Break]>([
    [
      'that lets two processes hold the key',
      /exactly one/,
      (store, server) => ({
        ...store,
        acquire: async (...given) => (await store.acquire(...given)) ?? (server.clear(), store.acquire(...given)),
      }),
    ],
    [
      'that grants the same value twice',
      /the same again/,
      (store) => ({ ...store, acquire: (value, ...given) => store.acquire(`${value}${Math.random()}`, ...given) }),
    ],
    [
      'whose leases expire early',
      /not before its TTL/,
      (store) => ({ ...store, acquire: (value, ttl, options) => store.acquire(value, ttl / 2, options) }),
    ],
    [
      'that starts with the same tokens again',
      /frees the key on release/,
      (store, server) => ({ ...store, acquire: (...given) => (server.resetTokens(), store.acquire(...given)) }),
    ],
    [
      'that confirms the renewal of a lost lease',
      /resolves renew\(\) to false/,
      (store, server) => ((server.confirmsLostRenewals = true), store),
    ],
    [
      'that evicts another holder',
      /evicts the holder/,
      (store, server) => ({ ...store, evict: async () => server.clear() }),
    ],
    [
      'that calls back after close()',
      /not after close/,
      (store) => ({ ...store, watch: (onChange) => (store.watch(onChange), { close() {} }) }),
    ],
    [
      'that ignores an aborted signal',
      /signal has aborted/,
      (store) => ({ ...store, read: () => store.read({ signal: new AbortController().signal }) }),
    ],
  ])('%s', async (_, title, broken) => {
    const failed: string[] = [];
    for (const guarantee of guaranteesOf(broken)) await guarantee.check().catch(() => failed.push(guarantee.title));
    expect(failed).toContainEqual(expect.stringMatching(title));
  });
});

function guaranteesOf(change: Break): ReturnType<typeof leaseGuarantees> {
  let now = 0;
  const create = (): readonly [LeaseStore, LeaseStore] => {
    const server = new MemoryLeaseServer(() => now);
    return [change(memoryLeaseStore({ server }), server), change(memoryLeaseStore({ server }), server)];
  };
  const time = { now: () => now, wait: async (ms: number) => void (now += ms) };
  return leaseGuarantees({ create, time });
}
