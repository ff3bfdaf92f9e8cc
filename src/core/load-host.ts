import { moduleNotLoadedError, SingletonError } from '../interface/errors.ts';
import { Deadline, type LazyAbortController, raceAbort } from './deadline.ts';
import type { HostContext } from './host/dispatch/context.ts';
import type { Host } from './host/host.ts';
import type { DeliverOwnLaunch } from './host/own-launch.ts';
import type { ResolvedOptions } from './options/resolved-options.ts';

/** Milliseconds in which a host may be loaded at least, however short the `deliveryTimeout` is. */
const MIN_LOAD_TIMEOUT = 1000;

/** Loads and creates the host, whose code a client does not need. Rejects if it takes too long, or `lifetime` aborts. */
export async function loadHost<T, R>(context: HostContext<T, R>, lifetime: LazyAbortController): Promise<Host<T, R>> {
  const { codecs, deliveryTimeout } = context.options;
  const ms = Math.max(deliveryTimeout, MIN_LOAD_TIMEOUT);
  const deadline = new Deadline(ms, () => loadTimeoutError(codecs, ms), lifetime);
  try {
    const host = await raceAbort(createHost(context), deadline);
    deadline.throwIfAborted();
    return host;
  } finally {
    deadline.clear();
  }
}

/**
 * The own launch of the host, with `self`. Only such a host loads its code. If it may have run already, it is a warning instead.
 * @throws SingletonError as `prepareOwnLaunch` does
 */
export async function loadOwnLaunch<T, R>(
  options: ResolvedOptions<T, R>,
  mayHaveRun: boolean,
  lifetime: LazyAbortController,
): Promise<DeliverOwnLaunch<T, R> | undefined> {
  if (!options.self) return undefined;
  // A tick later, so that listeners that are added after `await acquire()` get it.
  if (mayHaveRun) return async (host) => process.nextTick(() => host.warn(mayHaveRunError(options)));
  const { prepareOwnLaunch } = await import('./host/own-launch.ts').catch(moduleNotLoadedError);
  return prepareOwnLaunch(options, lifetime);
}

function mayHaveRunError<T, R>({ transport }: ResolvedOptions<T, R>): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_CONNECTION_FAILED',
    `The own launch was not dispatched: the host before, which ended at ${transport.endpoint}, may have run it.`,
  );
}

async function createHost<T, R>(context: HostContext<T, R>): Promise<Host<T, R>> {
  const host = await import('./host/index.ts').catch(moduleNotLoadedError);
  return host.createHost(context);
}

/** Emits a warning, also if there is no host yet. It is lost if the code cannot be loaded. */
export function warn<T, R>(warning: SingletonError, context: HostContext<T, R>): void {
  if (context.warnings) return context.warnings.warn(warning);
  import('./host/index.ts')
    .then(({ Warnings }) => (context.warnings ??= new Warnings(context)).warn(warning))
    .catch(() => {});
}

function loadTimeoutError(codecs: readonly { readonly name: string }[], ms: number): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_INVALID_OPTION',
    `Option "codec": ${codecs.map(({ name }) => `"${name}"`).join(', ')} did not load within ${ms} ms. The endpoint is free again.`,
  );
}
