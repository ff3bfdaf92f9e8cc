import type { ListenOptions } from '../../interface/transport.ts';
import { Holding } from './holding.ts';
import { requestTimeout, type ResolvedLeaseOptions } from './options.ts';
import { formatRecord, type HostRecord } from './record.ts';
import { persistentRequest, request, type Send } from './requests.ts';
import type { LeaseGrant } from './store.ts';
import { ownWitness } from './witness.ts';

const crypto: typeof import('node:crypto') = process.getBuiltinModule('node:crypto');

/** What other machines connect to. */
export type LeaseTarget = Pick<HostRecord, 'address' | 'port'>;

/**
 * Resolves to `undefined` if another process has the key. If an answer is lost, it asks again with the same value, so that it finds
 * its own lease.
 */
export async function acquire(
  options: ResolvedLeaseOptions,
  target: LeaseTarget,
  listenOptions: ListenOptions,
): Promise<Holding | undefined> {
  const { store, ttl, clock } = options;
  const value = formatRecord({ ...target, id: crypto.randomUUID(), witness: ownWitness() });
  let isGivenUp = false;
  const send: Send<LeaseGrant | undefined> = async (each) => {
    const grant = await store.acquire(value, ttl, each);
    if (isGivenUp && grant) void tryRelease(grant, ttl);
    return grant;
  };
  // The lease may be that of the first request, whose answer was lost.
  const askedAt = clock.now();
  try {
    const grant = await persistentRequest(send, requestTimeout(ttl), listenOptions);
    if (!grant) return undefined;
    const holding = new Holding(grant, askedAt, options, listenOptions);
    await holding.start(askedAt);
    if (!holding.isHeld()) await tryRelease(grant, ttl);
    return holding;
  } catch (error) {
    isGivenUp = true;
    throw error;
  }
}

/** The answer arrived too late. A failure has no effect: the lease expires. */
async function tryRelease(grant: LeaseGrant, ttl: number): Promise<void> {
  await request((each) => grant.release(each), requestTimeout(ttl)).catch(() => {});
}
