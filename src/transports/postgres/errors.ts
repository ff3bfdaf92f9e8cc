import { codeOf, SingletonError } from '../../interface/errors.ts';

/**
 * The error of a request: a final one if another attempt is of no use, and otherwise the one that came. The message of the
 * server is in the cause alone.
 */
export function requestError(endpoint: string, table: string, cause: unknown): unknown {
  const reason = REASONS[String(codeOf(cause))]?.(table);
  return reason === undefined ? cause : unavailableError(endpoint, reason, cause);
}

export function replicaError(endpoint: string): SingletonError {
  return unavailableError(endpoint, READ_ONLY);
}

export function tokenError(endpoint: string, table: string): SingletonError {
  return unavailableError(
    endpoint,
    `its row in ${table} has no token from 1 to 2 ** 53 - 1. Find out what has changed it. A smaller one defeats fencing`,
  );
}

function unavailableError(endpoint: string, reason: string, cause?: unknown): SingletonError {
  const message = `Cannot use ${endpoint}: ${reason}.`;
  return new SingletonError('ERR_SINGLETON_ENDPOINT_UNAVAILABLE', message, cause === undefined ? {} : { cause });
}

const READ_ONLY =
  'the server is a replica, or its transactions are read-only. Connect to the primary, for example with several hosts and ' +
  'target_session_attrs=read-write';

const REFUSED = (): string =>
  'the server refused the role or its password. Check both in the settings of your pool, and pg_hba.conf';

const OTHER_TABLE = (table: string): string =>
  `the table ${table} has other columns or no primary key. Create one by the statement of postgresTable()`;

/** By SQLSTATE. */
const REASONS: Readonly<Record<string, (table: string) => string>> = {
  '42P01': (table) =>
    `there is no table ${table}. Run the statement of postgresTable() once, or check the database, the schema and the ` +
    'search_path',
  '42703': OTHER_TABLE,
  '42P10': OTHER_TABLE,
  '42501': (table) =>
    `the role has too few rights. It needs GRANT SELECT, INSERT, UPDATE ON ${table}, and USAGE on its schema`,
  '25006': () => READ_ONLY,
  '28000': REFUSED,
  '28P01': REFUSED,
};
