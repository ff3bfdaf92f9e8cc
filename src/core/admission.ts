/** What becomes of a client that was just counted. */
export type Admission = 'publish' | 'throttle' | 'release';

export interface AdmissionRules {
  /** 0: no limit. */
  readonly maxClients: number;
  /** 0: never. */
  readonly releaseThreshold: number;
}

/** `count` includes this client. The order is the Python package's: the threshold goes before the throttle. */
export function admit(count: number, { maxClients, releaseThreshold }: AdmissionRules): Admission {
  if (releaseThreshold > 0 && count >= releaseThreshold) return 'release';
  if (maxClients > 0 && count > maxClients) return 'throttle';
  return 'publish';
}
