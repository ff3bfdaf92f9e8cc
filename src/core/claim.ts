import type { HandOff } from '../codecs/codec.ts';
import { deliver, prepare, unresponsive } from './client.ts';
import { Deadline, orAborted } from './deadline.ts';
import { SingletonError } from './errors.ts';
import type { Host } from './host.ts';
import type { ResolvedOptions } from './options.ts';
import type { Receipt } from './receipt.ts';

/**
 * Host or client? Resolves to `undefined` when `host` got the place, else to the receipt of the hand-off. Of any number
 * of launches one gets the place; who finds it taken, and then nobody there, tries again until the deadline.
 */
export async function claim<T>(
  host: Host<T>,
  options: ResolvedOptions<T>,
  signal: AbortSignal,
): Promise<Receipt | undefined> {
  let handOff: HandOff | undefined;
  let isReached = false;
  const expired = (): SingletonError => (isReached ? unresponsive(options) : unanswered(options));
  const deadline = new Deadline(options.handOffTimeout, expired, signal);
  try {
    for (;;) {
      deadline.signal.throwIfAborted();
      if (await host.listen(deadline.signal)) return undefined;
      if (!options.client) return { outcome: 'skipped' };
      handOff ??= await orAborted(prepare(options), deadline.signal);
      isReached = true;
      try {
        const result = await deliver(options.transport, handOff, deadline.signal);
        if (typeof result === 'object') return result;
        isReached = result === 'cut-off';
      } catch (error) {
        // Nothing is sent twice; but where the host died, this launch may follow it. Its connections go before its place.
        if (isBroken(error) && (await deadline.pause()) && (await host.listen(deadline.signal))) return undefined;
        throw error;
      }
      if (!(await deadline.pause())) throw expired();
    }
  } finally {
    deadline.clear();
  }
}

function isBroken(error: unknown): boolean {
  return error instanceof SingletonError && error.code === 'ERR_SINGLETON_CONNECTION_FAILED';
}

function unanswered<T>({ transport, handOffTimeout }: ResolvedOptions<T>): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_PLACE_UNAVAILABLE',
    `Expected ${transport.place} to be free, or a host there to take the launch, within ${handOffTimeout} ms ` +
      '(handOffTimeout); neither was so. An outgoing connection may hold the port: choose one from 10000 to 32767.',
  );
}
