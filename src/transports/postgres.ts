import { checkOptionNames, type OptionNames } from '../interface/option-names.ts';
import type { Transport } from '../interface/transport.ts';
import type { LeaseOptions } from './lease/options.ts';
import { lease } from './lease/transport.ts';
import { postgresStore, type PostgresStoreOptions } from './postgres/store.ts';

export { type PostgresQuery, type PostgresResult, postgresStore, type PostgresStoreOptions } from './postgres/store.ts';
export { postgresTable } from './postgres/statements.ts';
export type { LeaseAddress } from './lease/options.ts';

/** Options of `postgres()`: those of `postgresStore()` and of `lease()`. */
export interface PostgresOptions extends PostgresStoreOptions, Omit<LeaseOptions, 'store'> {
  /**
   * Where other machines reach the host: what it writes to the row. By default, the address that it binds if that is a certain
   * one, else 127.0.0.1, with a warning: `query` does not report by which address this machine reaches the server.
   */
  readonly advertise?: LeaseOptions['advertise'];
}

/**
 * A row of a table of PostgreSQL, which one process of many machines holds by a lease. The process listens on a TCP port, whose
 * address is in the row. `postgresTable()` returns the statement that creates the table; `postgresStore()` says what the clock
 * of the server and a failover can do.
 * @throws SingletonError `ERR_SINGLETON_INVALID_OPTION`
 */
export function postgres(options: PostgresOptions): Transport {
  checkOptionNames(options, OPTION_NAMES);
  const { query, key, table, ...leaseOptions } = options;
  return lease({ ...leaseOptions, store: postgresStore({ query, key, table }) });
}

const OPTION_NAMES: OptionNames<PostgresOptions> = {
  query: true,
  key: true,
  table: true,
  ttl: true,
  listen: true,
  advertise: true,
};
