import { invalidOptionError } from '../../interface/errors.ts';
import { checkOptionNames, type OptionNames } from '../../interface/option-names.ts';
import { checkAddress, checkPort } from '../tcp.ts';
import type { Clock } from './clock.ts';
import type { LeaseStore } from './store.ts';

/** Options of `lease()`. */
export interface LeaseOptions {
  /** The key that the host holds. */
  readonly store: LeaseStore;
  /**
   * Milliseconds for which the store keeps the key of a host that has died, 1000 or more. The host renews it four times in this time.
   * If the store cannot be reached for 90 % of it, the host gives up. A cluster of etcd that elects a new leader needs 5000 or
   * more with its default flags.
   * @default 6000
   */
  readonly ttl?: number | undefined;
  /** The address and port that the host binds. By default, the address that it advertises, and a free port. */
  readonly listen?: LeaseAddress | undefined;
  /**
   * Where other machines reach the host: what it writes under the key. By default, the address that it binds if that is a certain one, or
   * the address by which this machine reaches the store; and the port that was bound. A wildcard such as `0.0.0.0`, and an IPv6
   * address with a zone, are refused.
   */
  readonly advertise?: LeaseAddress | undefined;
}

/** The address and port of a host. */
export interface LeaseAddress {
  /** An IP address or a host name. */
  readonly address?: string | undefined;
  /** 0 to 65535. With 0 it is the port that the system chooses. */
  readonly port?: number | undefined;
}

/** Options of `lease()` that have been checked, with their defaults. */
export interface ResolvedLeaseOptions {
  readonly store: LeaseStore;
  readonly ttl: number;
  readonly listen: LeaseAddress;
  readonly advertise: LeaseAddress;
  readonly clock: Clock;
}

/** Milliseconds in which the store must answer. A host can ask three times before it has to give up. */
export function requestTimeout(ttl: number): number {
  return Math.min(ttl / 3, MAX_REQUEST_TIMEOUT);
}

const MAX_REQUEST_TIMEOUT = 5000;

/** @throws SingletonError `ERR_SINGLETON_INVALID_OPTION` */
export function resolveOptions(options: LeaseOptions, clock: Clock): ResolvedLeaseOptions {
  checkOptionNames(options, OPTION_NAMES);
  const { store, ttl = 6000, listen = {}, advertise = {} } = options;
  if (!isStore(store)) throw invalidOptionError('store', 'a store with endpoint, acquire, read and watch', store);
  if (!Number.isFinite(ttl) || ttl < MIN_TTL || ttl > MAX_TTL) {
    throw invalidOptionError('ttl', `milliseconds from ${MIN_TTL} to ${MAX_TTL}`, ttl);
  }
  checkTarget('listen', listen);
  checkTarget('advertise', advertise);
  const { address } = advertise;
  if (address !== undefined && !isOfOneMachine(address)) {
    throw invalidOptionError('advertise.address', 'the address of one machine, without a zone', address);
  }
  return { store, ttl, listen, advertise, clock };
}

const OPTION_NAMES: OptionNames<LeaseOptions> = { store: true, ttl: true, listen: true, advertise: true };
const ADDRESS_NAMES: OptionNames<LeaseAddress> = { address: true, port: true };

const MIN_TTL = 1000;
/** A day. */
const MAX_TTL = 86_400_000;

function checkTarget(name: string, target: LeaseAddress): void {
  if (typeof target !== 'object' || target === null) throw invalidOptionError(name, 'an object', target);
  checkOptionNames(target, ADDRESS_NAMES);
  const { address, port } = target;
  if (address !== undefined) checkAddress(`${name}.address`, address);
  if (port !== undefined) checkPort(`${name}.port`, port);
}

/** Not a wildcard, such as `0.0.0.0`, `::` and `0`, nor an address with a zone, such as `fe80::1%eth0`: those are of each machine. */
export function isOfOneMachine(address: string): boolean {
  return !/^(::ffff:)?[0.:]+$|%/i.test(address);
}

function isStore(store: unknown): store is LeaseStore {
  const { endpoint, acquire, read, watch }: Record<string, unknown> = Object(store);
  return typeof endpoint === 'string' && [acquire, read, watch].every((method) => typeof method === 'function');
}
