import { invalidOptionError } from '../../interface/errors.ts';

/** The option `signal`. @throws SingletonError `ERR_SINGLETON_INVALID_OPTION` */
export function resolveSignal(signal: unknown): AbortSignal | undefined {
  if (signal === undefined || isAbortSignal(signal)) return signal;
  throw invalidOptionError('signal', 'an AbortSignal', signal);
}

/** Not by `instanceof`: test runners give each file a realm, with classes of its own. */
function isAbortSignal(value: unknown): value is AbortSignal {
  const { aborted, addEventListener, removeEventListener } = Object(value);
  return (
    typeof aborted === 'boolean' && typeof addEventListener === 'function' && typeof removeEventListener === 'function'
  );
}
