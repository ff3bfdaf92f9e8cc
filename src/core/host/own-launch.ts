import type { Deliver } from '../../interface/protocol.ts';
import type { Receipt } from '../../interface/receipt.ts';
import { OutputError, SingletonError } from '../../interface/errors.ts';
import { turns } from '../../interface/timers.ts';
import { connectionPair } from '../../transports/memory-connection.ts';
import { prepare, readResult, schemaTimeoutError, SIGPIPE_STATUS } from '../attempt.ts';
import { Deadline, LazyAbortController } from '../deadline.ts';
import type { ResolvedOptions } from '../options/resolved-options.ts';
import { checkArgs } from '../options/schema.ts';
import type { Host } from './host.ts';

/**
 * Delivers the own launch of a host to it. Resolves when it was dispatched or queued; its result may take longer.
 * @throws SingletonError if it was not
 */
export type DeliverOwnLaunch<T, R> = (host: Host<T, R>) => Promise<void>;

/**
 * The option `self`: checks and encodes the own launch. It takes the way of any other one, over a connection inside this process,
 * so that arguments, streams, signals and results are the same for the listeners.
 * @throws SingletonError as a launch that is refused before it is sent
 */
export async function prepareOwnLaunch<T, R>(
  options: ResolvedOptions<T, R>,
  lifetime: LazyAbortController,
): Promise<DeliverOwnLaunch<T, R>> {
  const { schema, args, deliveryTimeout } = options;
  const deadline = new Deadline(deliveryTimeout, () => schemaTimeoutError(options), lifetime);
  try {
    if (schema) await checkArgs(schema, args, deadline);
  } finally {
    deadline.clear();
  }
  const deliver = prepare({ ...options, replace: false }, () => false);
  return (host) => deliverTo(host, deliver, lifetime);
}

async function deliverTo<T, R>(host: Host<T, R>, deliver: Deliver<R>, lifetime: LazyAbortController): Promise<void> {
  const [client, connection] = connectionPair(() => turns(1), Infinity);
  host.connections.accept(connection, 'own');
  const delivery = await deliver(client);
  // Not with the lifetime of the Singleton: a release lets the launch finish, and ends it from the side of the host.
  if (typeof delivery === 'object')
    return void setExitCode(host, readResult(delivery, host.options, new LazyAbortController()));
  lifetime.throwIfAborted();
  throw notDispatchedError(host.options);
}

function notDispatchedError<T, R>({ transport, receiveTimeout }: ResolvedOptions<T, R>): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_INVALID_ARGS',
    `The own launch of the host at ${transport.endpoint} was not dispatched: it was not decoded and validated within ` +
      `${receiveTimeout} ms (receiveTimeout).`,
  );
}

/** The result would end the process of a later launch. It sets the exit status of this one. */
async function setExitCode<T, R>(host: Host<T, R>, result: Promise<Receipt<R>>): Promise<void> {
  try {
    const { exitCode } = await result;
    if (exitCode !== undefined) process.exitCode = exitCode;
  } catch (error) {
    fail(host, error);
  }
}

function fail<T, R>(host: Host<T, R>, error: unknown): void {
  process.exitCode = error instanceof OutputError && error.isClosedPipe ? SIGPIPE_STATUS : 1;
  // The host has reported what a listener threw.
  if (error instanceof SingletonError && error.code !== 'ERR_SINGLETON_LISTENER_FAILED') host.warn(error);
}
