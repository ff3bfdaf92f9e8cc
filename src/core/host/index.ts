import { readFileSync } from 'node:fs';
import type { Codec, ReadLaunch } from '../../interface/codec.ts';
import { SingletonError } from '../../interface/errors.ts';
import { setImmediate } from '../../interface/timers.ts';
import { Host, type HostContext } from './host.ts';

export { Warnings } from './warnings.ts';

/**
 * A host that can read launches.
 * @throws SingletonError `ERR_SINGLETON_INVALID_OPTION`, or what the codec threw if it is a `SingletonError`
 */
export async function createHost<T, R>(context: HostContext<T, R>): Promise<Host<T, R>> {
  const host = new Host(context, await loadReader(context.options.codec));
  const warning = fileLimitWarning(context.options.maxConnections);
  // Later, so that a listener that is added after `await acquire()` gets it.
  if (warning) setImmediate(() => host.warn(warning));
  return host;
}

/** Files that a small program has open beside its connections. */
const OTHER_FILES = 32;

/**
 * When the files that the system allows are used up, it accepts connections and closes them at once, and no event of Node says
 * so. Only Linux tells the limit without a child process.
 */
function fileLimitWarning(maxConnections: number): SingletonError | undefined {
  const limit = Number(/^Max open files +(\d+)/m.exec(limitsOfProcess())?.[1] ?? Infinity);
  if (limit >= maxConnections + OTHER_FILES) return undefined;
  return new SingletonError(
    'ERR_SINGLETON_BUSY',
    `This process may open ${limit} files (ulimit -n), and each of up to ${maxConnections} connections (maxConnections) is ` +
      'one. Beyond the limit, the system closes connections before this host sees them. Raise the limit, or lower ' +
      'maxConnections.',
  );
}

function limitsOfProcess(): string {
  try {
    return readFileSync('/proc/self/limits', 'latin1');
  } catch {
    return '';
  }
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
