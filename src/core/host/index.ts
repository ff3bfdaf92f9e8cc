import type { HostContext } from './dispatch/context.ts';
import { Host } from './host.ts';
import { loadReaders } from './readers.ts';

export { Warnings } from './dispatch/warnings.ts';

/**
 * A host that can read launches.
 * @throws SingletonError `ERR_SINGLETON_INVALID_OPTION`, or what a codec threw if it is a `SingletonError`
 */
export async function createHost<T, R>(context: HostContext<T, R>): Promise<Host<T, R>> {
  return new Host(context, await loadReaders(context.options.codecs));
}
