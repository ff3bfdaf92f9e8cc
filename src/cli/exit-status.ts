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
  ERR_SINGLETON_ENDPOINT_UNAVAILABLE: BUSY_STATUS,
  ERR_SINGLETON_ALREADY_RUNNING: BUSY_STATUS,
  ERR_SINGLETON_HOST_UNRESPONSIVE: BUSY_STATUS,
  ERR_SINGLETON_BUSY: BUSY_STATUS,
};

/** The code for an endpoint that cannot be used has two reasons: the system does not allow it, or it was in use for too long. */
export function statusOfError({ code, message }: SingletonError): number {
  const isRefused = code === 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE' && !/\((standby|deliveryTimeout)\)/.test(message);
  return isRefused ? REFUSED_STATUS : (STATUSES[code] ?? 1);
}
