import { codeOf, messageOf, SingletonError } from '../../interface/errors.ts';
import { fieldOf, parseJson } from './json.ts';
import { type Answer, NoAnswerError } from './request.ts';

/** An error that etcd has answered with. Another attempt may be of use. */
export class AnswerError extends Error {
  /** The status code of gRPC. */
  readonly status: unknown;

  constructor(message: string, status: unknown) {
    super(message);
    this.status = status;
  }

  /** The lease has expired, or was never granted. */
  get isNotFound(): boolean {
    return this.status === 5;
  }

  get isExistingLease(): boolean {
    return this.message.includes('lease already exists');
  }

  /** The token of the user has expired, or etcd has restarted, or users were changed. */
  get isExpiredToken(): boolean {
    return this.status === 16 || isTokenMessage(this.message);
  }
}

export function isTokenMessage(text: string): boolean {
  return /invalid auth token|revision of auth store is old/.test(text);
}

/** A failed attempt. A `SingletonError` is one after which no other attempt is of use. */
export interface Failure {
  readonly error: Error;
  /** Of several failures, the one with the highest is reported. */
  readonly rank: number;
  /** Whether other endpoints of the cluster would answer the same. */
  readonly isOfCluster?: boolean;
}

/** What messages say of the request. */
export interface Subject {
  readonly key: string;
  readonly username: string | undefined;
  /** What no message may have, even if the server sends it back. */
  readonly secrets: readonly (string | undefined)[];
}

/** There was no answer. */
export function connectionFailure(endpoint: string, cause: unknown): Failure {
  const code = String(codeOf(cause));
  const message = messageOf(cause).trim() || code;
  if (cause instanceof NoAnswerError) {
    const text = `etcd at ${endpoint} has not answered in time. Check that it runs and that its cluster has a leader.`;
    return { rank: 0, error: new Error(text, { cause }) };
  }
  const advice = tlsAdvice(code, message);
  if (advice !== undefined) return final(endpoint, `${message}. ${advice}`, cause);
  // So ends a request without TLS to a port with TLS.
  const hint = code === 'ECONNRESET' && endpoint.startsWith('http:') ? ' If it uses TLS, write https.' : '';
  return { rank: 1, error: new Error(`Could not ask etcd at ${endpoint}: ${message}.${hint}`, { cause }) };
}

function tlsAdvice(code: string, message: string): string | undefined {
  // Versions of Node have several codes.
  if (/wrong version number|packet length too long/i.test(message)) {
    return 'The endpoint does not use TLS. Write http, or enable TLS in etcd.';
  }
  if (/^ERR_SSL_.*ALERT.*(CERT|CA)/.test(code)) {
    return 'etcd does not accept the certificate of this client. Check "cert" and "key" of the option "tls".';
  }
  if (/^ERR_OSSL_|^ERR_CRYPTO_|^ERR_INVALID_ARG_/.test(code)) return 'Check the option "tls".';
  if (/ALTNAME|HOSTNAME/.test(code)) {
    return 'Use an endpoint that the certificate of etcd names, or set "servername" of the option "tls".';
  }
  if (/CERT|UNABLE_TO_(VERIFY|GET)|INVALID_CA|^ERR_SSL_/.test(code)) {
    return 'Check the certificate of etcd, and set "ca" of the option "tls" to the authority that has signed it.';
  }
  return undefined;
}

/** The answer is not a result. */
export function answerFailure(endpoint: string, { status, text }: Answer, subject: Subject): Failure {
  if (text.includes('CommonName of client sending a request against gateway will be ignored')) {
    return final(
      endpoint,
      'its gateway does not take a client certificate that has a CommonName while its authentication is enabled. Use a ' +
        'certificate without a CommonName, and the options "username" and "password".',
    );
  }
  const body = parseJson(text);
  const message = errorMessageOf(body);
  if (message !== undefined) return etcdFailure(endpoint, message, errorStatusOf(body), subject);
  if (status === 404) {
    return final(
      endpoint,
      'it has no JSON gateway (status 404). Start it with --enable-grpc-gateway, or check the URL.',
    );
  }
  const answer = `etcd at ${endpoint} has not answered as etcd does (status ${status})`;
  return { rank: 2, error: new Error(`${answer}. Check that the URL is one of a client port of etcd.`) };
}

/** `{error,message,code}` in version 1 of the gateway, `{code,message}` in version 2, and `{error:{…}}` in a stream. */
export function errorMessageOf(body: unknown): string | undefined {
  const nested = fieldOf(body, 'error', 'message');
  const message = typeof nested === 'string' ? nested : (fieldOf(body, 'message') ?? fieldOf(body, 'error'));
  return typeof message === 'string' ? message : undefined;
}

function errorStatusOf(body: unknown): unknown {
  return fieldOf(body, 'code') ?? fieldOf(body, 'error', 'grpc_code') ?? fieldOf(body, 'error', 'code');
}

function etcdFailure(endpoint: string, message: string, status: unknown, subject: Subject): Failure {
  const { key, username, secrets } = subject;
  const isOfCluster = OF_CLUSTER.has(status);
  if (message.includes('permission denied')) {
    const user = username === undefined ? 'this client' : `the user ${JSON.stringify(username)}`;
    const text = `${user} has no permission for the key. Grant it with "etcdctl role grant-permission ROLE readwrite ${key}".`;
    return { ...final(endpoint, text), isOfCluster };
  }
  if (message.includes('authentication failed')) {
    return { ...final(endpoint, 'it does not accept the options "username" and "password".'), isOfCluster };
  }
  if (message.includes('authentication is not enabled')) {
    const text = 'its authentication is not enabled. Run "etcdctl auth enable", or remove "username" and "password".';
    return { ...final(endpoint, text), isOfCluster };
  }
  if (message.includes('user name is empty')) {
    const text = 'its authentication is enabled. Set the options "username" and "password".';
    return { ...final(endpoint, text), isOfCluster };
  }
  const error = new AnswerError(`etcd at ${endpoint} has answered: ${withoutSecrets(message, secrets)}`, status);
  return { rank: 2, isOfCluster, error };
}

const MAX_MESSAGE_LENGTH = 300;

function withoutSecrets(message: string, secrets: Subject['secrets']): string {
  return secrets
    .reduce<string>((text, secret) => (secret ? text.replaceAll(secret, () => '***') : text), message)
    .slice(0, MAX_MESSAGE_LENGTH);
}

/**
 * InvalidArgument, NotFound, AlreadyExists, PermissionDenied, FailedPrecondition and Unauthenticated. The others, such as
 * Unavailable, may concern one member.
 */
const OF_CLUSTER: ReadonlySet<unknown> = new Set([3, 5, 6, 7, 9, 16]);

function final(endpoint: string, text: string, cause?: unknown): Failure {
  return { rank: 3, error: finalError(endpoint, text, cause) };
}

/** `ERR_SINGLETON_ENDPOINT_UNAVAILABLE`: another attempt is of no use. */
export function finalError(endpoint: string, text: string, cause?: unknown): SingletonError {
  const options = cause === undefined ? {} : { cause };
  return new SingletonError('ERR_SINGLETON_ENDPOINT_UNAVAILABLE', `Cannot use etcd at ${endpoint}: ${text}`, options);
}

/** It is final only if all are: another endpoint may answer the next time. */
export function mostTelling(failures: readonly Failure[]): Error {
  const [first, ...others] = failures.toSorted((one, other) => other.rank - one.rank);
  if (!first) return new Error('Expected an endpoint of etcd; there is none.');
  const { error } = first;
  const isFinal = others.every((other) => other.error instanceof SingletonError);
  return error instanceof SingletonError && !isFinal ? new Error(error.message, { cause: error }) : error;
}
