import type { Watcher } from '../../src/interface/transport.ts';
import type { HeldLease, LeaseGrant, LeaseStore, StoreOptions } from '../../src/transports/lease/store.ts';

interface Entry extends HeldLease {
  readonly ttl: number;
  expiresAt: number;
}

type Operation = 'acquire' | 'read' | 'renew' | 'release' | 'evict';

/** What happens to a request. */
export interface Faults {
  /** Awaited before the request is served. A rejection is that of a store that cannot be reached. */
  before?: ((operation: Operation) => Promise<unknown> | undefined) | undefined;
  /** Awaited after it was served. A rejection is that of a lost answer. */
  after?: ((operation: Operation) => Promise<unknown> | undefined) | undefined;
}

/** One key, as a server has it. */
export class MemoryLeaseServer {
  readonly #now: () => number;
  readonly #watchers = new Set<() => void>();
  #entry: Entry | undefined;
  #lastToken = 0;
  /** How often each request was served. */
  readonly served: Record<Operation, number> = { acquire: 0, read: 0, renew: 0, release: 0, evict: 0 };
  /** It confirms the renewal of a lease that was lost, as a server that was cut off does. */
  confirmsLostRenewals = false;
  /** It does not report a change. */
  isSilent = false;

  constructor(now: () => number) {
    this.#now = now;
  }

  get watchers(): number {
    return this.#watchers.size;
  }

  get held(): HeldLease | undefined {
    if (this.#entry && this.#entry.expiresAt <= this.#now()) this.#change(undefined);
    return this.#entry && { value: this.#entry.value, token: this.#entry.token };
  }

  acquire(value: string, ttl: number): number | undefined {
    this.served.acquire += 1;
    const { held } = this;
    if (held) return held.value === value ? held.token : undefined;
    this.#lastToken += 2;
    this.#change({ value, ttl, token: this.#lastToken, expiresAt: this.#now() + ttl });
    return this.#lastToken;
  }

  renew(token: number): boolean {
    this.served.renew += 1;
    if (this.held?.token !== token || !this.#entry) return this.confirmsLostRenewals;
    this.#entry.expiresAt = this.#now() + this.#entry.ttl;
    return true;
  }

  delete(token: number): void {
    if (this.held?.token === token) this.#change(undefined);
  }

  /** Writes a value as a person may do. */
  write(value: string, ttl: number): void {
    this.#lastToken += 2;
    this.#change({ value, ttl, token: this.#lastToken, expiresAt: this.#now() + ttl });
  }

  /** Reports a change, whether there was one or not. */
  report(): void {
    for (const onChange of this.#watchers) onChange();
  }

  /** Forgets the holder, as no store does. */
  clear(): void {
    this.#change(undefined);
  }

  /** Forgets the tokens, as a store does that was restored from a copy. */
  resetTokens(): void {
    this.#lastToken = 0;
  }

  /** Calls the watchers if the lease has expired. */
  expire(): void {
    void this.held;
  }

  watch(onChange: () => void): Watcher {
    const watcher = (): void => onChange();
    this.#watchers.add(watcher);
    return { close: () => void this.#watchers.delete(watcher) };
  }

  #change(entry: Entry | undefined): void {
    this.#entry = entry;
    if (!this.isSilent) this.report();
  }
}

export interface StoreSettings {
  readonly server: MemoryLeaseServer;
  readonly faults?: Faults | undefined;
  readonly localAddress?: string | undefined;
  readonly name?: string | undefined;
}

/** A store on one machine. All of one server hold the same key. */
export function memoryLeaseStore({ server, faults = {}, localAddress, name = 'key' }: StoreSettings): LeaseStore {
  const serve = async <T>(what: Operation, { signal }: StoreOptions, run: () => T): Promise<T> => {
    signal.throwIfAborted();
    await faults.before?.(what);
    const answer = run();
    await faults.after?.(what);
    return answer;
  };
  const grantOf = (token: number): LeaseGrant => ({
    token,
    renew: (options) => serve('renew', options, () => server.renew(token)),
    release: (options) =>
      serve('release', options, () => {
        server.served.release += 1;
        server.delete(token);
      }),
  });
  return {
    endpoint: `memory:${name}`,
    advice: 'Check the store in memory.',
    localAddress,
    async acquire(value, ttl, options) {
      const token = await serve('acquire', options, () => server.acquire(value, ttl));
      return token === undefined ? undefined : grantOf(token);
    },
    read: (options) =>
      serve('read', options, () => {
        server.served.read += 1;
        return server.held;
      }),
    watch: (onChange) => server.watch(onChange),
    evict: (token, options) =>
      serve('evict', options, () => {
        server.served.evict += 1;
        server.delete(token);
      }),
  };
}
