import { moduleNotLoadedError } from '../../interface/errors.ts';
import type { Transport } from '../../interface/transport.ts';
import { LeaseClient } from './client.ts';
import { type Clock, systemClock } from './clock.ts';
import { type LeaseOptions, requestTimeout, resolveOptions } from './options.ts';
import { persistentRequest } from './requests.ts';
import type { HeldLease } from './store.ts';

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
  return {
    endpoint: store.endpoint,
    reach: 'network',
    takeoverTime: 2 * ttl + 3000,
    get advice() {
      return store.advice;
    },
    async listen(onConnection, listenOptions) {
      const send = store.read.bind(store);
      const held = await persistentRequest<HeldLease | undefined>(send, requestTimeout(ttl), listenOptions);
      if (held) {
        client.expect(held);
        return undefined;
      }
      const { bind } = await import('./host.ts').catch(moduleNotLoadedError);
      return bind(resolved, onConnection, listenOptions);
    },
    connect: (connectOptions) => client.connect(connectOptions),
    watch: (onChange) => store.watch(onChange),
  };
}
