import { SingletonError } from './errors.ts';

/** For an `import()` of what is loaded later. */
export function unloaded(cause: unknown): never {
  throw new SingletonError(
    'ERR_SINGLETON_PLACE_UNAVAILABLE',
    'A file of this package could not be loaded. Where it was replaced while the program ran, launch it again.',
    { cause },
  );
}
