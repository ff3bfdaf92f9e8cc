import type { Codec, ReadLaunch } from '../../interface/codec.ts';
import { SingletonError } from '../../interface/errors.ts';
import { Host, type HostContext } from './host.ts';

export { Warnings } from './warnings.ts';

/**
 * A host that can read launches.
 * @throws SingletonError `ERR_SINGLETON_INVALID_OPTION`, or what the codec threw if it is a `SingletonError`
 */
export async function createHost<T, R>(context: HostContext<T, R>): Promise<Host<T, R>> {
  return new Host(context, await loadReader(context.options.codec));
}

async function loadReader<T, R>({ name, protocol }: Codec<T, R>): Promise<ReadLaunch<T, R>> {
  let cause: unknown;
  try {
    const readLaunch = await protocol.inbound();
    if (typeof readLaunch === 'function') return readLaunch;
  } catch (error) {
    if (error instanceof SingletonError) throw error;
    cause = error;
  }
  throw new SingletonError(
    'ERR_SINGLETON_INVALID_OPTION',
    `Option "codec": the codec "${name}" could not be loaded to read launches. The endpoint is free again.`,
    { cause },
  );
}
