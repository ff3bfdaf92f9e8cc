import type { ConnectionOptions } from 'node:tls';
import { invalidOptionError, SingletonError } from '../../interface/errors.ts';
import { checkOptionNames, type OptionNames } from '../../interface/option-names.ts';

/** How to reach etcd, and the key. */
export interface EtcdStoreOptions {
  /**
   * The URLs of the client ports of one cluster, such as `['http://10.0.0.1:2379']`. The one that answered last is asked first.
   * If it fails, or does not answer within 500 ms, the next one is asked.
   */
  readonly endpoints: readonly string[];
  /** The key that the host holds, such as `acme/nightly-report`. All machines need the same. */
  readonly key: string;
  /** A user of etcd, if its authentication is enabled. The user needs the permission `readwrite` for the key. */
  readonly username?: string | undefined;
  /** The password of the user. It is sent as it is, so use `https` on a network that others can read. */
  readonly password?: string | undefined;
  /** Certificates and keys, if an endpoint is `https`. */
  readonly tls?: EtcdTlsOptions | undefined;
}

/** Options of `node:tls`. */
export type EtcdTlsOptions = Pick<
  ConnectionOptions,
  | 'ca'
  | 'cert'
  | 'checkServerIdentity'
  | 'ciphers'
  | 'crl'
  | 'key'
  | 'maxVersion'
  | 'minVersion'
  | 'passphrase'
  | 'pfx'
  | 'rejectUnauthorized'
  | 'servername'
>;

/** A user of etcd. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

export interface ResolvedEtcdOptions {
  /** Without a slash at the end. */
  readonly endpoints: readonly string[];
  readonly key: string;
  readonly credentials: Credentials | undefined;
  readonly tls: EtcdTlsOptions;
}

export const STORE_OPTION_NAMES: OptionNames<EtcdStoreOptions> = {
  endpoints: true,
  key: true,
  username: true,
  password: true,
  tls: true,
};

/** Checks the options except for their names. @throws SingletonError `ERR_SINGLETON_INVALID_OPTION` */
export function resolveStoreOptions(options: EtcdStoreOptions): ResolvedEtcdOptions {
  const endpoints = resolveEndpoints(options.endpoints);
  const { key } = options;
  if (typeof key !== 'string' || key === '') throw invalidOptionError('key', 'a non-empty string', key);
  return { endpoints, key, credentials: resolveCredentials(options), tls: resolveTls(options.tls, endpoints) };
}

function resolveEndpoints(endpoints: unknown): readonly string[] {
  if (!Array.isArray(endpoints) || endpoints.length === 0) {
    const got = Array.isArray(endpoints) ? 'an empty list' : `a value of type ${typeof endpoints}`;
    throw endpointsError('endpoints', `a list of one or more http or https URLs, got ${got}`);
  }
  return endpoints.map((endpoint: unknown, index) => {
    const url = typeof endpoint === 'string' && URL.canParse(endpoint) ? new URL(endpoint) : undefined;
    const name = `endpoints[${index}]`;
    if (url && (url.username !== '' || url.password !== '')) {
      throw endpointsError(name, 'a URL without a user and a password. Use the options "username" and "password"');
    }
    if (url && /^https?:$/.test(url.protocol) && url.search === '' && url.hash === '') {
      return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
    }
    throw endpointsError(name, 'an http or https URL such as "http://10.0.0.1:2379", without a query');
  });
}

/** No value is in the message: people write passwords in URLs, also in those that cannot be parsed. */
function endpointsError(name: string, expected: string): SingletonError {
  return new SingletonError('ERR_SINGLETON_INVALID_OPTION', `Option "${name}": expected ${expected}.`);
}

function resolveCredentials({ username, password }: EtcdStoreOptions): Credentials | undefined {
  if (username === undefined && password === undefined) return undefined;
  if (typeof username !== 'string' || username === '') {
    throw invalidOptionError('username', 'a non-empty string beside "password"', username);
  }
  // The value is not in the message, whatever it is.
  if (typeof password !== 'string') {
    throw new SingletonError(
      'ERR_SINGLETON_INVALID_OPTION',
      `Option "password": expected a string beside "username", got a value of type ${typeof password}.`,
    );
  }
  return { username, password };
}

function resolveTls(tls: EtcdTlsOptions | undefined, endpoints: readonly string[]): EtcdTlsOptions {
  if (tls === undefined) return {};
  if (typeof tls !== 'object' || tls === null) throw invalidOptionError('tls', 'an object', typeof tls);
  checkOptionNames(tls, TLS_OPTION_NAMES);
  if (!endpoints.some((endpoint) => endpoint.startsWith('https:'))) {
    throw invalidOptionError('tls', 'nothing, because no endpoint is https', tls);
  }
  return { ...tls };
}

const TLS_OPTION_NAMES: OptionNames<EtcdTlsOptions> = {
  ca: true,
  cert: true,
  checkServerIdentity: true,
  ciphers: true,
  crl: true,
  key: true,
  maxVersion: true,
  minVersion: true,
  passphrase: true,
  pfx: true,
  rejectUnauthorized: true,
  servername: true,
};
