import { InUseError } from '../interface/errors.ts';
import { Deadline, type LazyAbortController } from './deadline.ts';
import type { ResolvedOptions } from './options/resolved-options.ts';

/** Binds the endpoint; `false` if it is in use. */
export type Listen = (deadline: Deadline) => Promise<boolean>;

/** The endpoint was bound. `mayHaveRun`: a host that ended may have dispatched the launch before. */
export interface Bound {
  readonly mayHaveRun: boolean;
}

/**
 * Waits until the endpoint is free, and binds it: tries at once when the transport reports a change, and at intervals. Nothing is
 * delivered.
 */
export async function standBy<T, R>(
  listen: Listen,
  options: ResolvedOptions<T, R>,
  lifetime: LazyAbortController,
): Promise<Bound> {
  const deadline = new Deadline(options.standby, (cause) => inUseError(options, cause), lifetime);
  let wake: (() => void) | undefined;
  const { transport } = options;
  const watcher = transport.watch?.(() => wake?.());
  // A store that many machines share is asked for a change that the watch has missed, and no more.
  const longest = watcher && transport.takeoverTime;
  try {
    for (let attempts = 0; ; attempts += 1) {
      deadline.throwIfAborted();
      // Before the attempt, so that a change during it is not missed.
      const change = new Promise<void>((resolve) => (wake = resolve));
      if (await listen(deadline)) return { mayHaveRun: false };
      await deadline.backoff(attempts, change, longest);
    }
  } finally {
    watcher?.close();
    deadline.clear();
  }
}

function inUseError<T, R>({ transport, standby }: ResolvedOptions<T, R>, cause: Error | undefined): InUseError {
  return new InUseError(
    `${transport.endpoint} was still in use after ${standby} ms (standby). Nothing was delivered to its host.`,
    cause,
  );
}
