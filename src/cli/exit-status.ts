import type { SingletonError, SingletonErrorCode } from '../index.ts';

export const USAGE_STATUS = 2;
/** 128 and the number of SIGPIPE. */
export const SIGPIPE_STATUS = 141;

export const REFUSED_STATUS = 4;
/** EX_TEMPFAIL of sysexits.h. */
export const BUSY_STATUS = 75;

/** As a shell has it. */
export const NOT_RUN_STATUS = 126;
export const NOT_FOUND_STATUS = 127;

/** By the codes of errors. */
const STATUSES: Readonly<Partial<Record<SingletonErrorCode, number>>> = {
  ERR_SINGLETON_INVALID_OPTION: USAGE_STATUS,
  ERR_SINGLETON_UNENCODABLE: USAGE_STATUS,
  ERR_SINGLETON_MESSAGE_TOO_LARGE: USAGE_STATUS,
  ERR_SINGLETON_NO_HOST: 3,
  ERR_SINGLETON_VERIFICATION_FAILED: REFUSED_STATUS,
  ERR_SINGLETON_WRONG_APPLICATION: REFUSED_STATUS,
  ERR_SINGLETON_UNSUPPORTED_VERSION: REFUSED_STATUS,
  ERR_SINGLETON_FOREIGN_HOST: REFUSED_STATUS,
  ERR_SINGLETON_INVALID_ARGS: REFUSED_STATUS,
  ERR_SINGLETON_REPLACE_REFUSED: REFUSED_STATUS,
  ERR_SINGLETON_ENDPOINT_UNAVAILABLE: REFUSED_STATUS,
  ERR_SINGLETON_ALREADY_RUNNING: BUSY_STATUS,
  ERR_SINGLETON_HOST_UNRESPONSIVE: BUSY_STATUS,
  ERR_SINGLETON_BUSY: BUSY_STATUS,
};

export function statusOfError(error: SingletonError): number {
  const { code, cause } = error;
  // The code for an endpoint that cannot be used has two reasons. The library does not export the class of this one.
  if (Object(error).isInUse === true) return BUSY_STATUS;
  // What may have run if there was a connection. Without one, nothing was delivered.
  const { code: reason, syscall } = Object(cause);
  if (code === 'ERR_SINGLETON_CONNECTION_FAILED' && CONNECTING.has(syscall))
    return TEMPORARY.has(reason) ? BUSY_STATUS : REFUSED_STATUS;
  return STATUSES[code] ?? 1;
}

/** The system calls that fail before there is a connection. */
const CONNECTING: ReadonlySet<unknown> = new Set(['connect', 'getaddrinfo']);
/** What may be different later: the network, or the load of a machine. */
const TEMPORARY: ReadonlySet<unknown> = new Set([
  'EAGAIN',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'EMFILE',
  'ENETUNREACH',
  'ENFILE',
  'ETIMEDOUT',
]);
