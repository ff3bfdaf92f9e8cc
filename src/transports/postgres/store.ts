import { invalidOptionError } from '../../interface/errors.ts';
import { checkOptionNames, type OptionNames } from '../../interface/option-names.ts';
import { clearTimeout, setTimeout } from '../../interface/timers.ts';
import type { Watcher } from '../../interface/transport.ts';
import type { HeldLease, LeaseGrant, LeaseStore, StoreOptions } from '../lease/store.ts';
import { replicaError, requestError, tokenError } from './errors.ts';
import { DEFAULT_TABLE, quoteTable, type Statements, statementsOf } from './statements.ts';

/** Which row of which table, and how to reach it. */
export interface PostgresStoreOptions {
  /** Runs a statement on the primary, in a transaction of its own. With `pg`: `(text, values) => pool.query(text, values)`. */
  readonly query: PostgresQuery;
  /** The name of your program, the same on all machines, such as `acme/nightly-report`: 1 to 255 characters. */
  readonly key: string;
  /**
   * A table that was created by `postgresTable()`, with its schema if needed: `ops.socket_singleton_lease`. Case matters. Programs
   * can share it, each with its own key.
   * @default 'socket_singleton_lease'
   */
  readonly table?: string | undefined;
}

/** Runs one statement, whose parameters are `$1`, `$2` and so on. */
export type PostgresQuery = (text: string, values: (string | number)[]) => PromiseLike<PostgresResult>;

/** What a statement returns. */
export interface PostgresResult {
  /** Objects with the columns as properties. A `bigint` may be a string, a number or a BigInt. */
  readonly rows: readonly unknown[];
}

/**
 * A store for `lease()`: one row of a table of PostgreSQL.
 *
 * The server decides when a lease has expired, by its wall clock. If that is set ahead, leases expire early, and a host may go
 * on beside the next one until its next renewal. If it is set back, the lease of a host that has died lasts that much longer. A
 * failover to an asynchronous replica may lose the last changes of the row, so that there may be two hosts for as long. Each host has
 * a larger token than the host before it; after a failover only if the clock of the new primary is not slow.
 * @throws SingletonError `ERR_SINGLETON_INVALID_OPTION`
 */
export function postgresStore(options: PostgresStoreOptions): LeaseStore {
  checkOptionNames(options, STORE_OPTIONS);
  const { query, key, table = DEFAULT_TABLE } = options;
  if (typeof query !== 'function') {
    throw invalidOptionError('query', 'a function such as (text, values) => pool.query(text, values)', query);
  }
  if (typeof key !== 'string' || !KEY.test(key) || !key.isWellFormed()) {
    throw invalidOptionError('key', 'a name of 1 to 255 characters without control characters', key);
  }
  return new PostgresStore(query, key, quoteTable(table));
}

const STORE_OPTIONS: OptionNames<PostgresStoreOptions> = { query: true, key: true, table: true };
const KEY = /^\P{Cc}{1,255}$/u;

/** Milliseconds between two reads of a watcher. */
const POLL_INTERVAL = 1000;

/** What a watcher has seen, if it is no token. */
const NOT_HELD = 0;
const NOT_READ = -1;

class PostgresStore implements LeaseStore {
  readonly endpoint: string;
  readonly advice: string;
  readonly #query: PostgresQuery;
  readonly #key: string;
  readonly #table: string;
  readonly #statements: Statements;

  constructor(query: PostgresQuery, key: string, table: string) {
    this.endpoint = `postgres:${key}`;
    this.advice = `Check that the database answers, and that the address in the row of ${table} can be reached from here.`;
    this.#query = query;
    this.#key = key;
    this.#table = table;
    this.#statements = statementsOf(table);
  }

  /** An abort does not end it: `query` may still run the statement, and the late answer shows that the key must be given back. */
  async acquire(value: string, ttl: number, { signal }: StoreOptions): Promise<LeaseGrant | undefined> {
    signal.throwIfAborted();
    const [row] = await this.#run(this.#statements.acquire, [this.#key, value, ttl]);
    if (row === undefined) return undefined;
    const token = this.#tokenOf(row);
    return {
      token,
      renew: async (options) => {
        const rows = await this.#run(this.#statements.renew, [this.#key, token, ttl], options.signal);
        return rows.length > 0;
      },
      release: (options) => this.evict(token, options),
    };
  }

  async read({ signal }: Partial<StoreOptions>): Promise<HeldLease | undefined> {
    const [row] = await this.#run(this.#statements.read, [this.#key], signal);
    const { value, replica } = Object(row);
    if (replica !== false) throw replicaError(this.endpoint);
    return typeof value === 'string' ? { value, token: this.#tokenOf(row) } : undefined;
  }

  /** Polls. LISTEN would need a connection of its own, which `query` cannot provide, and does not report an expiry. */
  watch(onChange: () => void): Watcher {
    let seen = NOT_READ;
    let timer: NodeJS.Timeout | undefined;
    const poll = async (): Promise<void> => {
      const token = await this.read({}).then(
        (held) => held?.token ?? NOT_HELD,
        () => seen,
      );
      if (!timer) return;
      // Not before the answer, so that a slow server has one poll at a time.
      timer = start();
      if (token === seen) return;
      seen = token;
      onChange();
    };
    const start = (): NodeJS.Timeout => setTimeout(() => void poll(), POLL_INTERVAL).unref();
    timer = start();
    return {
      close: () => {
        clearTimeout(timer);
        timer = undefined;
      },
    };
  }

  async evict(token: number, { signal }: StoreOptions): Promise<void> {
    await this.#run(this.#statements.clear, [this.#key, token], signal);
  }

  #tokenOf(row: unknown): number {
    const token = Number(Object(row).token);
    if (!Number.isSafeInteger(token) || token < 1) throw tokenError(this.endpoint, this.#table);
    return token;
  }

  /** `query` cannot be aborted: an answer that comes after the abort is ignored. */
  #run(text: string, values: (string | number)[], signal?: AbortSignal): Promise<readonly unknown[]> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const onAbort = (): void => reject(signal?.reason);
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#rows(text, values)
        .then(resolve, (error: unknown) => reject(requestError(this.endpoint, this.#table, error)))
        .finally(() => signal?.removeEventListener('abort', onAbort));
    });
  }

  async #rows(text: string, values: (string | number)[]): Promise<readonly unknown[]> {
    const result = await this.#query(text, values);
    const rows: unknown = Object(result).rows;
    if (!Array.isArray(rows)) throw invalidOptionError('query', 'a function that resolves to { rows: [...] }', result);
    return rows;
  }
}
