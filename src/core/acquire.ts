import type { Delivery, HandOff } from '../interface/codec.ts';
import { SingletonError } from '../interface/errors.ts';
import { Deadline, type Ending, now } from './deadline.ts';
import type { ResolvedOptions } from './options.ts';
import { deliver, prepare, unprepared, unresponsive } from './send.ts';
import type { HeldHost, Hold } from './server.ts';

/**
 * Host or client? Resolves to `undefined` when `hold` got the place, else to the delivery of the launch. Of any number
 * of launches one gets the place; who finds it taken, and then nobody there, tries again until the deadline.
 */
export async function claim<T, R>(
  hold: Hold<HeldHost>,
  options: ResolvedOptions<T, R>,
  over: Ending | AbortSignal,
): Promise<Delivery<R> | undefined> {
  let handOff: HandOff<R> | undefined;
  /** Since when somebody has been there: connected, or a connect that hangs. */
  let there = Infinity;
  let isPreparing = false;
  let cutOff = 0;
  const expired = (): SingletonError => {
    if (isPreparing) return unprepared(options);
    return now() - there >= HANGING ? unresponsive(options) : unanswered(options);
  };
  const deadline = new Deadline(options.handOffTimeout, expired, over);
  try {
    for (;;) {
      deadline.throwIfOver();
      if (await hold.listen(deadline)) return undefined;
      if (!options.client) return { receipt: { outcome: 'skipped' } };
      isPreparing = true;
      handOff ??= await prepare(options, deadline);
      isPreparing = false;
      there = Math.min(there, now());
      try {
        const result = await deliver(options.transport, handOff, deadline, () => (there = -Infinity));
        if (typeof result === 'object') return result;
        cutOff = result === 'nobody' ? 0 : cutOff + 1;
        if (result === 'nobody') there = Infinity;
      } catch (error) {
        // Nothing is sent twice; but where the host died, this launch may follow it. Its connections go before its place.
        if (isBroken(error) && (await deadline.pause()) && (await hold.listen(deadline))) return undefined;
        throw error;
      }
      if (!(await deadline.pause(cutOff))) throw expired();
    }
  } finally {
    deadline.clear();
  }
}

/** Milliseconds that a connect to a place that nobody holds takes at most, on a busy machine too. */
const HANGING = 50;

function isBroken(error: unknown): boolean {
  return error instanceof SingletonError && error.code === 'ERR_SINGLETON_CONNECTION_FAILED';
}

function unanswered<T, R>({ transport, handOffTimeout }: ResolvedOptions<T, R>): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_PLACE_UNAVAILABLE',
    `Expected ${transport.place} to be free, or a host there to take the launch, within ${handOffTimeout} ms ` +
      '(handOffTimeout); neither was so. An outgoing connection may hold the port: choose one from 10000 to 32767.',
  );
}
