export { lease } from './lease/transport.ts';
export type { LeaseAddress, LeaseOptions } from './lease/options.ts';
export type { HeldLease, LeaseGrant, LeaseStore, StoreOptions } from './lease/store.ts';
