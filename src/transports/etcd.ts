import { checkOptionNames, type OptionNames } from '../interface/option-names.ts';
import type { Transport } from '../interface/transport.ts';
import { type EtcdStoreOptions, type EtcdTlsOptions, STORE_OPTION_NAMES } from './etcd/options.ts';
import { etcdStore } from './etcd/store.ts';
import type { LeaseAddress, LeaseOptions } from './lease/options.ts';
import type { HeldLease, LeaseGrant, LeaseStore, StoreOptions } from './lease/store.ts';
import { lease } from './lease/transport.ts';

export { etcdStore };
export type {
  EtcdStoreOptions,
  EtcdTlsOptions,
  HeldLease,
  LeaseAddress,
  LeaseGrant,
  LeaseOptions,
  LeaseStore,
  StoreOptions,
};

/** How to reach etcd, the key, and where the host listens. */
export interface EtcdOptions extends EtcdStoreOptions, Pick<LeaseOptions, 'listen' | 'advertise'> {
  /**
   * Milliseconds for which etcd keeps the key of a host that has died, 1000 or more. etcd counts in seconds, so it is rounded up, and
   * raised to 1.5 times its election timeout: 2 seconds by default. If etcd cannot be reached for 90 % of this time, the host gives up. A
   * cluster that elects a new leader needs 5000 or more with the default flags.
   * @default 6000
   */
  readonly ttl?: number | undefined;
}

/**
 * A key of etcd that one process of many machines holds: one host for a whole fleet. The host listens on a TCP port, whose address
 * is under the key. It is `lease()` with `etcdStore()`. A launch and a host reject with `ERR_SINGLETON_ENDPOINT_UNAVAILABLE` at
 * once if etcd refuses them, such as for a wrong password, and at the end of `deliveryTimeout` if etcd cannot be reached.
 * @throws SingletonError `ERR_SINGLETON_INVALID_OPTION`
 */
export function etcd(options: EtcdOptions): Transport {
  checkOptionNames(options, OPTION_NAMES);
  const { ttl, listen, advertise, ...storeOptions } = options;
  return lease({ store: etcdStore(storeOptions), ttl, listen, advertise });
}

const OPTION_NAMES: OptionNames<EtcdOptions> = { ...STORE_OPTION_NAMES, ttl: true, listen: true, advertise: true };
