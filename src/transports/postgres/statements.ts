import { invalidOptionError } from '../../interface/errors.ts';

export const DEFAULT_TABLE = 'socket_singleton_lease';

/**
 * The statement that creates the table of `postgres()`. Run it once, as a role that may create tables, or copy it to your
 * migrations. A second run has no effect. `postgres()` does not run it itself: the role of a program should need no right to
 * create tables, and two processes that run it at once can fail, in spite of `IF NOT EXISTS`.
 * @throws SingletonError `ERR_SINGLETON_INVALID_OPTION`
 */
export function postgresTable(table: string = DEFAULT_TABLE): string {
  // The collation "C" never changes. After an update of another one, a unique index may have to be rebuilt to be unique.
  return `CREATE TABLE IF NOT EXISTS ${quoteTable(table)} (
  key text COLLATE "C" PRIMARY KEY,
  value text,
  token bigint NOT NULL,
  expires timestamptz NOT NULL
);`;
}

/** The statements of a store, for a table whose name is quoted. A row whose `value` is null was released. */
export interface Statements {
  /** `$1` key, `$2` value, `$3` ttl. Returns a row with the token, and no row if another value is held. */
  readonly acquire: string;
  /** `$1` key. Always returns one row; its `value` is null if nothing is held. */
  readonly read: string;
  /** `$1` key, `$2` token, `$3` ttl. Returns a row if the token is still held. */
  readonly renew: string;
  /** `$1` key, `$2` token. Keeps the row, so that the next token is larger. */
  readonly clear: string;
}

export function statementsOf(table: string): Statements {
  return {
    acquire: `INSERT INTO ${table} AS held (key, value, token, expires) VALUES ($1, $2, ${CLOCK_TOKEN}, ${EXPIRES})
ON CONFLICT (key) DO UPDATE SET
  value = excluded.value,
  token = CASE WHEN held.value = excluded.value AND ${IS_HELD} THEN held.token ELSE greatest(held.token + 1, excluded.token) END,
  expires = ${EXPIRES}
WHERE held.value = excluded.value OR NOT (${IS_HELD})
RETURNING token`,
    read: `SELECT held.value, held.token, pg_is_in_recovery() AS replica
FROM (SELECT 1) AS always LEFT JOIN ${table} AS held ON held.key = $1 AND ${IS_HELD}`,
    renew: `UPDATE ${table} AS held SET expires = ${EXPIRES} WHERE key = $1 AND token = $2 AND ${IS_HELD} RETURNING token`,
    clear: `UPDATE ${table} SET value = NULL WHERE key = $1 AND token = $2`,
  };
}

/** The clock of the server when it comes to the row; now() would be that of the transaction's begin, before a wait for the row. */
const IS_HELD = 'held.value IS NOT NULL AND held.expires > clock_timestamp()';
const EXPIRES = `clock_timestamp() + $3::float8 * interval '1 millisecond'`;

/** Milliseconds since 1970. So a token also grows if the row was deleted, or if a failover lost it or its last changes. */
const CLOCK_TOKEN = '(extract(epoch FROM clock_timestamp()) * 1000)::bigint';

/** @throws SingletonError `ERR_SINGLETON_INVALID_OPTION` */
export function quoteTable(table: unknown): string {
  const names = typeof table === 'string' ? table.split('.') : [];
  if (names.length < 1 || names.length > 2 || !names.every((name) => NAME.test(name))) {
    throw invalidOptionError(
      'table',
      'the name of a table, or of a schema and a table with a dot between them; a name has up to 63 letters of ASCII, ' +
        'digits and underscores',
      table,
    );
  }
  return names.map((name) => `"${name}"`).join('.');
}

/** PostgreSQL cuts off a longer name. */
const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,62}$/;
