export { leaseGuarantees } from './lease/guarantees.ts';
export { lease } from './lease/transport.ts';
export type { LeaseAddress, LeaseOptions } from './lease/options.ts';
export type { HeldLease, LeaseGrant, LeaseStore, StoreOptions } from './lease/store.ts';
export type { StoreTime, StoreUnderTest } from './lease/guarantees.ts';
export type { Guarantee } from './compliance.ts';
