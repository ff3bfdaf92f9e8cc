import type { DeliveryResult, Deliver } from '../interface/codec.ts';
import { SingletonError } from '../interface/errors.ts';
import { Deadline, type LazyAbortController, now } from './deadline.ts';
import type { ResolvedOptions } from './options.ts';
import { attempt, prepare, schemaTimeoutError, unresponsiveError } from './send.ts';
import type { ServedHost, Server } from './server.ts';

/**
 * Host or client? Resolves to `undefined` when `hold` got the endpoint, else to the delivery of the launch. Of any number
 * of launches one gets the endpoint; who finds it taken, and then nobody there, tries again until the deadline.
 */
export async function acquire<T, R>(
  hold: Server<ServedHost>,
  options: ResolvedOptions<T, R>,
  over: LazyAbortController | AbortSignal,
): Promise<DeliveryResult<R> | undefined> {
  let handOff: Deliver<R> | undefined;
  /** Since when somebody has been there: connected, or a connect that hangs. */
  let hostSeenAt = Infinity;
  let isPreparing = false;
  let resets = 0;
  const timeoutError = (): SingletonError => {
    if (isPreparing) return schemaTimeoutError(options);
    return now() - hostSeenAt >= CONNECT_HANG_MS ? unresponsiveError(options) : unavailableError(options);
  };
  const deadline = new Deadline(options.deliveryTimeout, timeoutError, over);
  try {
    for (;;) {
      deadline.throwIfAborted();
      if (await hold.listen(deadline)) return undefined;
      if (!options.client) return { receipt: { outcome: 'skipped' } };
      isPreparing = true;
      handOff ??= await prepare(options, deadline);
      isPreparing = false;
      hostSeenAt = Math.min(hostSeenAt, now());
      try {
        const result = await attempt(options.transport, handOff, deadline, () => (hostSeenAt = -Infinity));
        if (typeof result === 'object') return result;
        resets = result === 'nobody' ? 0 : resets + 1;
        if (result === 'nobody') hostSeenAt = Infinity;
      } catch (error) {
        // Nothing is sent twice; but where the host died, this launch may follow it. Its connections go before its endpoint.
        if (isConnectionFailed(error) && (await deadline.backoff()) && (await hold.listen(deadline))) return undefined;
        throw error;
      }
      if (!(await deadline.backoff(resets))) throw timeoutError();
    }
  } finally {
    deadline.clear();
  }
}

/** Milliseconds that a connect to an endpoint that nobody holds takes at most, on a busy machine too. */
const CONNECT_HANG_MS = 50;

function isConnectionFailed(error: unknown): boolean {
  return error instanceof SingletonError && error.code === 'ERR_SINGLETON_CONNECTION_FAILED';
}

function unavailableError<T, R>({ transport, deliveryTimeout }: ResolvedOptions<T, R>): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
    `Expected ${transport.endpoint} to be free, or a host there to take the launch, within ${deliveryTimeout} ms ` +
      '(deliveryTimeout); neither was so. An outgoing connection may hold the port: choose one from 10000 to 32767.',
  );
}
