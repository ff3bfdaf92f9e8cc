import type { Watcher } from '../../interface/transport.ts';

/**
 * One key of a store that all machines share. One process at a time holds it, for as long as it renews its lease. `leaseGuarantees`
 * checks a store. A method rejects with a `SingletonError` if another attempt is of no use, such as after a wrong password, and
 * with any other error if it is.
 */
export interface LeaseStore {
  /** The name of the key for people, the same on all machines, such as `etcd:acme/editor`. */
  readonly endpoint: string;
  /** One sentence for the error at the end of `deliveryTimeout`: see `Transport.advice`. */
  readonly advice?: string | undefined;
  /** The address by which this machine has last reached the store. */
  readonly localAddress?: string | undefined;
  /**
   * Writes the value under the key for `ttl` milliseconds, counted from now at the earliest. Resolves to `undefined` if another
   * value is held. Called again with the value that is held, it resolves to the same grant: an answer may get lost.
   */
  acquire(value: string, ttl: number, options: StoreOptions): Promise<LeaseGrant | undefined>;
  /** A linearizable read: it has every change that was complete when it was called. Resolves to `undefined` if nothing is held. */
  read(options: StoreOptions): Promise<HeldLease | undefined>;
  /**
   * Calls back when the key may have changed. It may miss a change or report one too many. Must not keep the process alive, and
   * connects again after a failure.
   */
  watch(onChange: () => void): Watcher;
  /** Deletes the key if it still has this token, because its holder is known to be dead. */
  evict?(token: number, options: StoreOptions): Promise<void>;
}

/** Options of each request to a store. */
export interface StoreOptions {
  /**
   * Ends the request when it aborts. Every request has one that does, after a time. Then the name of the reason is `TimeoutError`, and
   * the request may be sent again. After any other reason it is not, so the store may undo what the request has done.
   */
  readonly signal: AbortSignal;
}

/** What is held. */
export interface HeldLease {
  /** What its holder has written. */
  readonly value: string;
  /** Larger than that of every holder before. A safe integer. */
  readonly token: number;
}

/** A lease of this process. */
export interface LeaseGrant {
  /** As in `HeldLease`. */
  readonly token: number;
  /** Extends the lease to its `ttl` from now. Resolves to `false` if it has expired or another process holds the key. */
  renew(options: StoreOptions): Promise<boolean>;
  /** Deletes the key, if it still has this token. */
  release(options: StoreOptions): Promise<void>;
}
