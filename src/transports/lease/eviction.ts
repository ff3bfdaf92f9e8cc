import { requestTimeout, type ResolvedLeaseOptions } from './options.ts';
import { parseRecord } from './record.ts';
import { persistentRequest, type RequestOptions } from './requests.ts';
import type { HeldLease } from './store.ts';
import { hasEnded } from './witness.ts';

/** Whether the holder certainly was a process of this machine that has ended. Its key is held until the lease expires. */
export function hasDied({ value }: HeldLease, { store }: ResolvedLeaseOptions): boolean {
  try {
    const { witness } = parseRecord(value, store.endpoint);
    return witness !== undefined && hasEnded(witness);
  } catch {
    // Written by something else.
    return false;
  }
}

/** Deletes the key of such a holder. Resolves to whether the holder was one. */
export async function evictDead(
  held: HeldLease,
  lease: ResolvedLeaseOptions,
  options: RequestOptions,
): Promise<boolean> {
  const { store, ttl } = lease;
  if (!store.evict || !hasDied(held, lease)) return false;
  await persistentRequest(async (each) => store.evict?.(held.token, each), requestTimeout(ttl), options);
  return true;
}
