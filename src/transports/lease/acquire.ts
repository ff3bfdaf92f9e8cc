import type { ListenOptions } from '../../interface/transport.ts';
import { Holding } from './holding.ts';
import { requestTimeout, type ResolvedLeaseOptions } from './options.ts';
import { formatRecord, type HostRecord } from './record.ts';
import { backgroundRequest, persistentRequest, request, type Send } from './requests.ts';
import type { LeaseGrant, LeaseStore } from './store.ts';
import { ownWitness } from './witness.ts';

const crypto: typeof import('node:crypto') = process.getBuiltinModule('node:crypto');

/** What other machines connect to. */
export type LeaseTarget = Pick<HostRecord, 'address' | 'port'>;

/**
 * Resolves to `undefined` if another process has the key. If an answer is lost, it asks again with the same value, so that it finds
 * its own lease. If it is given up, requests whose answers are missing may still get the key: then it gives the key back.
 */
export async function acquire(
  options: ResolvedLeaseOptions,
  target: LeaseTarget,
  listenOptions: ListenOptions,
): Promise<Holding | undefined> {
  const { store, ttl, clock } = options;
  const value = formatRecord({ ...target, id: crypto.randomUUID(), witness: ownWitness() });
  let isEnded = false;
  const send: Send<LeaseGrant | undefined> = async (each) => {
    const grant = await store.acquire(value, ttl, each);
    if (isEnded && grant) void tryRelease(grant, ttl);
    return grant;
  };
  // The lease may be that of the first request, whose answer was lost.
  const askedAt = clock.now();
  try {
    const grant = await persistentRequest(send, requestTimeout(ttl), listenOptions);
    if (!grant) {
      isEnded = true;
      return undefined;
    }
    const holding = new Holding(grant, askedAt, options, listenOptions);
    await holding.start(askedAt);
    if (!holding.isHeld()) {
      isEnded = true;
      await tryRelease(grant, ttl);
    }
    return holding;
  } catch (error) {
    isEnded = true;
    void tryEvict(value, store, ttl);
    throw error;
  }
}

/** A request without an answer may have got the key. A failure has no effect: the lease expires. */
async function tryEvict(value: string, store: LeaseStore, ttl: number): Promise<void> {
  try {
    const held = await backgroundRequest((each) => store.read(each), requestTimeout(ttl));
    if (held?.value !== value) return;
    await backgroundRequest(async (each) => store.evict?.(held.token, each), requestTimeout(ttl));
  } catch {
    // Nothing waits for it.
  }
}

/** The answer arrived too late. A failure has no effect: the lease expires. */
async function tryRelease(grant: LeaseGrant, ttl: number): Promise<void> {
  await request((each) => grant.release(each), requestTimeout(ttl)).catch(() => {});
}
