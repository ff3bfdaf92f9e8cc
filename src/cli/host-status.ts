import { json } from '../codecs/json.ts';
import { type HostStatus, Singleton, SingletonError, type StatusOptions } from '../index.ts';
import { REFUSED_STATUS, statusOfError } from './exit-status.ts';

/** Of a host with another codec than `json()` only the endpoint is known. @throws SingletonError */
export async function hostStatus(options: StatusOptions): Promise<HostStatus> {
  const status = await Singleton.status({ ...options, codec: json() });
  if (status) return status;
  throw new SingletonError('ERR_SINGLETON_NO_HOST', `No host is listening at ${options.transport?.endpoint}.`);
}

/**
 * Whether a host holds an endpoint that is in use, or something that does not answer: a host that is stopped, or the command of
 * a "run" that was killed. `false` if nothing listens there now.
 * @throws SingletonError for another program, and for a host that refuses the secret or is of another application
 */
export async function isHeld(options: StatusOptions): Promise<boolean> {
  try {
    return (await Singleton.status({ ...options, codec: json(), deliveryTimeout: HELD_TIMEOUT })) !== undefined;
  } catch (error) {
    if (error instanceof SingletonError && statusOfError(error) === REFUSED_STATUS) throw error;
    return true;
  }
}

/** Milliseconds until an endpoint whose holder does not answer counts as held. */
const HELD_TIMEOUT = 2000;
