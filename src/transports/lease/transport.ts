import { moduleNotLoadedError } from '../../interface/errors.ts';
import { clearInterval, setInterval } from '../../interface/timers.ts';
import type { Transport } from '../../interface/transport.ts';
import { LeaseClient } from './client.ts';
import { type Clock, systemClock } from './clock.ts';
import { evictDead, hasDied } from './eviction.ts';
import { type LeaseOptions, requestTimeout, resolveOptions } from './options.ts';
import { persistentRequest } from './requests.ts';
import type { HeldLease } from './store.ts';

/** Milliseconds between two checks whether a host of this machine has died: the store learns it only when the lease expires. */
const CHECK_INTERVAL = 1000;

/**
 * A key of a store that one process of many machines holds by a lease. It listens on a TCP port, whose address is under the key.
 * @throws SingletonError `ERR_SINGLETON_INVALID_OPTION`
 */
export function lease(options: LeaseOptions): Transport {
  return createLease(options, systemClock());
}

/** `lease()` with a clock that a test can move. */
export function createLease(options: LeaseOptions, clock: Clock): Transport {
  const resolved = resolveOptions(options, clock);
  const { store, ttl } = resolved;
  const client = new LeaseClient(resolved);
  /** What `listen` has read last. */
  let held: HeldLease | undefined;
  return {
    endpoint: store.endpoint,
    reach: 'network',
    takeoverTime: 2 * ttl + 3000,
    get advice() {
      return store.advice;
    },
    async listen(onConnection, listenOptions) {
      const send = store.read.bind(store);
      held = await persistentRequest<HeldLease | undefined>(send, requestTimeout(ttl), listenOptions);
      if (held) {
        client.expect(held);
        // Otherwise the caller connects, which finds out.
        const isFree = !listenOptions.skipProbe && (await evictDead(held, resolved, listenOptions));
        if (!isFree) return undefined;
      }
      const { bind } = await import('./host.ts').catch(moduleNotLoadedError);
      return bind(resolved, onConnection, listenOptions);
    },
    connect: (connectOptions) => client.connect(connectOptions),
    watch(onChange) {
      const watcher = store.watch(onChange);
      const checkHolder = (): void => {
        if (held && store.evict && hasDied(held, resolved)) onChange();
      };
      const interval = setInterval(checkHolder, CHECK_INTERVAL).unref();
      return {
        close() {
          watcher.close();
          clearInterval(interval);
        },
      };
    },
  };
}
