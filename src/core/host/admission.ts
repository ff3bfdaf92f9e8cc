/** What becomes of a client that was counted, or of the own launch, number 0. */
export type Admission = 'dispatch' | 'throttle' | 'release';

/** What the receipt has. */
export const OUTCOMES = { dispatch: 'delivered', throttle: 'throttled', release: 'released' } as const;

/** As the Python package has it: release comes first, and 0 is no limit. `number` is 1 for the first client. */
export function admit(
  number: number,
  { releaseThreshold, maxClients }: { readonly releaseThreshold: number; readonly maxClients: number },
): Admission {
  if (releaseThreshold > 0 && number >= releaseThreshold) return 'release';
  return maxClients > 0 && number > maxClients ? 'throttle' : 'dispatch';
}
