import { SingletonError } from '../../interface/errors.ts';
import { type ListenerResult, isThenable } from './emit-safely.ts';

/** A callback of `trace`: the arguments of one launch, then what was stored with it. */
export type Observer<T, Stored extends readonly unknown[]> = (args: T, ...stored: Stored) => unknown;

/** The observers of `trace`, each with what is stored with it. */
export type Observers<T> = ReadonlyMap<Observer<T, any[]>, readonly unknown[]>;

/** Calls each observer with the arguments. What one throws, or rejects with, is a warning and keeps no other from being called. */
export function notify<T>(observers: Observers<T>, args: T, warn: (warning: SingletonError) => void): ListenerResult[] {
  const failed = (cause: unknown): false => {
    warn(new SingletonError('ERR_SINGLETON_OBSERVER_FAILED', 'An observer threw or rejected.', { cause }));
    return false;
  };
  return Array.from(observers).map(([observer, stored]) => {
    try {
      const result = observer(args, ...stored);
      return isThenable(result) ? Promise.resolve(result).then(() => true, failed) : true;
    } catch (cause) {
      return failed(cause);
    }
  });
}
