import { SingletonError } from '../index.ts';

export function noHostError(endpoint: string): SingletonError {
  return new SingletonError('ERR_SINGLETON_NO_HOST', `No host is listening at ${endpoint}.`);
}
