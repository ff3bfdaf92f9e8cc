import type { Deliver, DeliveryResult, StatusData } from '../interface/protocol.ts';
import { InUseError, moduleNotLoadedError, SingletonError } from '../interface/errors.ts';
import type { HostStatus, Receipt } from '../interface/receipt.ts';
import { now } from '../interface/timers.ts';
import { Deadline, followSignal, LazyAbortController } from './deadline.ts';
import type { ResolvedOptions } from './options/resolved-options.ts';
import { checkArgs } from './options/schema.ts';
import { isOwn } from './server.ts';
import { type Bound, type Listen, standBy } from './standby.ts';
import type { Starter } from './start/starter.ts';
import {
  attempt,
  noHostError,
  statusOf,
  prepare,
  readResult,
  schemaTimeoutError,
  unresponsiveError,
} from './attempt.ts';

/** Delivers to a host that is running, and waits for the result if the launch waits. */
export async function send<T, R>(options: ResolvedOptions<T, R>): Promise<Receipt<R>> {
  const lifetime = new LazyAbortController();
  const unfollow = followSignal(lifetime, options.signal);
  try {
    const delivery = await acquire(undefined, options, lifetime);
    if ('mayHaveRun' in delivery) throw noHostError(options);
    return delivery.runSession ? await readResult(delivery, options, lifetime) : delivery.receipt;
  } finally {
    unfollow();
  }
}

/** Asks a host for its status. `undefined` if no host is listening. */
export async function askStatus<T, R>(options: ResolvedOptions<T, R>): Promise<HostStatus | undefined> {
  const { transport, codec, deliveryTimeout, signal } = options;
  const lifetime = new LazyAbortController();
  const unfollow = followSignal(lifetime, signal);
  const deadline = new Deadline(deliveryTimeout, (cause) => noStatusError(options, cause), lifetime);
  const ask = codec.protocol.status(options);
  try {
    for (let resets = 0; ; resets += 1) {
      const status = await attempt(transport, ask, deadline);
      if (typeof status === 'object') return statusOf(transport.endpoint, status);
      if (status === 'no-host') return undefined;
      await deadline.backoff(resets);
    }
  } finally {
    deadline.clear();
    unfollow();
  }
}

function noStatusError<T, R>(
  { transport, deliveryTimeout }: ResolvedOptions<T, R>,
  cause: Error | undefined,
): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_HOST_UNRESPONSIVE',
    `The host at ${transport.endpoint} did not send its status within ${deliveryTimeout} ms (deliveryTimeout). It may be frozen ` +
      'or busy, or be another program.',
    cause && { cause },
  );
}

/**
 * Host or client? Resolves to `Bound` if `listen` bound the endpoint, else to the delivery of the launch. If the endpoint is in
 * use but no host accepts the launch, it tries again until the deadline. Without `listen` it never becomes host: as soon as no host
 * is there, it starts one (`start`) or rejects.
 */
export async function acquire<T, R>(
  listen: Listen | undefined,
  options: ResolvedOptions<T, R>,
  lifetime: LazyAbortController,
): Promise<DeliveryResult<R> | Bound> {
  if (listen && options.standby > 0) return standBy(listen, options, lifetime);
  const { schema, args } = options;
  let deliver: Deliver<R> | undefined;
  /** With a lease, a connect may take long because the store does not answer, or because the host cannot be reached. */
  const provesHost = options.transport.takeoverTime === undefined;
  /** When the first connect to a host began that is not known to have failed; `-Infinity` once one succeeded. */
  let hostSeenAt = listen || !provesHost ? Infinity : -Infinity;
  let isChecking = false;
  // What never becomes the host must not end the one that is there.
  const isFirstHost = listen && firstHost();
  let hasReplaced = false;
  let starter: Starter | undefined;
  let resets = 0;
  let connectsFirst = listen !== undefined && mayConnectFirst(options);
  const timeoutError = (cause: Error | undefined): SingletonError => {
    if (isChecking) return schemaTimeoutError(options);
    if (now() - hostSeenAt >= CONNECT_HANG_MS) return unresponsiveError(options);
    return starter?.timeoutError() ?? unavailableError(options, cause);
  };
  const deadline = new Deadline(options.deliveryTimeout, timeoutError, lifetime);
  try {
    for (;;) {
      deadline.throwIfAborted();
      if (listen && !connectsFirst && (await listen(deadline))) return { mayHaveRun: false };
      if (listen && !options.client) return { receipt: { outcome: 'skipped' } };
      // If a trial fails before it has connected, this process may still become the host, so its error is dropped.
      const isTrial = connectsFirst;
      connectsFirst = false;
      try {
        if (!deliver && schema) {
          isChecking = true;
          await checkArgs(schema, args, deadline);
          isChecking = false;
        }
        deliver ??= prepare(options, isFirstHost);
        if (provesHost && hostSeenAt === Infinity) hostSeenAt = now();
        const result = await attempt(options.transport, deliver, deadline, () => (hostSeenAt = -Infinity));
        if (typeof result === 'object') return result;
        // The endpoint is free now. If this process waited, another one would bind it.
        if (result === 'replaced' && !hasReplaced) {
          hasReplaced = true;
          continue;
        }
        if (result === 'no-host' && !listen) {
          starter ??= await loadStarter(options);
          await starter.onNoHost();
        }
        if (result === 'no-host') hostSeenAt = Infinity;
        if (result === 'no-host' && isTrial) continue;
        resets = result === 'reset' ? resets + 1 : 0;
      } catch (error) {
        if (isTrial && hostSeenAt > -Infinity) continue;
        // Never resend. But if the host died, this process may become the host: its connections close before its endpoint is free.
        if (listen && isConnectionFailed(error) && (await tryListen(listen, deadline))) return { mayHaveRun: true };
        throw error;
      }
      await deadline.backoff(resets);
    }
  } finally {
    deadline.clear();
    await starter?.end();
  }
}

/** Whether to connect before the first `listen`: most launches find a host, and spare a bind that fails. A schema may take long. */
function mayConnectFirst<T, R>({ transport, client, schema }: ResolvedOptions<T, R>): boolean {
  return transport.connectFirst === true && client && !schema && !isOwn(transport.endpoint);
}

/** Starts the host, with `start`. @throws SingletonError `ERR_SINGLETON_NO_HOST` without */
async function loadStarter<T, R>(options: ResolvedOptions<T, R>): Promise<Starter> {
  const { start } = options;
  if (!start) throw noHostError(options);
  const { Starter } = await import('./start/starter.ts').catch(moduleNotLoadedError);
  return new Starter(start, options);
}

/**
 * Distinguishes the host that a launch finds first from one that has replaced it: of several launches with `replace: true` one
 * replaces the host, and the others deliver to that one. A host that was bound after this launch has begun may be such a one. If
 * hosts have tokens, they may be on machines with other clocks, and the first one is that which was looked up first.
 */
function firstHost(): (status: StatusData) => boolean {
  const begun = Date.now();
  let first: StatusData | undefined;
  return (status) => {
    first ??= status;
    if (status.token !== undefined) return first.token === status.token;
    return first.pid === status.pid && first.since === status.since && status.since <= begun;
  };
}

/** Milliseconds that a connect to a free endpoint takes at most, on a busy machine too. */
const CONNECT_HANG_MS = 50;

/** Whether the endpoint could be bound; `false` for every failure, so that the one of the launch is reported. */
async function tryListen(listen: Listen, deadline: Deadline): Promise<boolean> {
  try {
    await deadline.backoff();
    return await listen(deadline);
  } catch {
    return false;
  }
}

function isConnectionFailed(error: unknown): boolean {
  return error instanceof SingletonError && error.code === 'ERR_SINGLETON_CONNECTION_FAILED';
}

function unavailableError<T, R>(
  { transport: { endpoint, advice = '' }, deliveryTimeout }: ResolvedOptions<T, R>,
  cause: Error | undefined,
): InUseError {
  const message = `Could not bind ${endpoint} or reach a host there within ${deliveryTimeout} ms (deliveryTimeout). ${advice}`;
  return new InUseError(message.trimEnd(), cause);
}
