import type { DeliveryResult, Deliver, Stdio } from '../interface/codec.ts';
import { SingletonError } from '../interface/errors.ts';
import type { Receipt } from '../interface/receipt.ts';
import { resetConnection, type Transport } from '../interface/transport.ts';
import { Deadline, type LazyAbortController, raceAbort } from './deadline.ts';
import type { ResolvedOptions } from './options.ts';

/** A hand-off to a host that must be there, to its end. */
export async function send<T, R>(options: ResolvedOptions<T, R>): Promise<Receipt<R>> {
  return finalReceipt(await deliver(options), options, options.signal);
}

async function deliver<T, R>(options: ResolvedOptions<T, R>): Promise<DeliveryResult<R>> {
  const { transport } = options;
  let expired = schemaTimeoutError;
  const deadline = new Deadline(options.deliveryTimeout, () => expired(options), options.signal);
  try {
    deadline.throwIfAborted();
    const handOff = await prepare(options, deadline);
    expired = unresponsiveError;
    for (let cutOff = 1; ; cutOff += 1) {
      const result = await attempt(transport, handOff, deadline);
      if (typeof result === 'object') return result;
      if (result === 'nobody') throw noHostError(options);
      if (!(await deadline.backoff(cutOff))) throw unresponsiveError(options);
    }
  } finally {
    deadline.clear();
  }
}

function noHostError<T, R>({ transport }: ResolvedOptions<T, R>): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_NO_HOST',
    `Expected a host at ${transport.endpoint}; nobody is there. Start the program first.`,
  );
}

/** Only a schema takes its time. @throws SingletonError when the launch cannot be encoded */
export function prepare<T, R>(options: ResolvedOptions<T, R>, deadline: Deadline): Deliver<R> | Promise<Deliver<R>> {
  const { codec, args } = options;
  const launch = { args, cwd: workingDirectory(), pid: process.pid, wait: options.wait > 0 };
  const handOff = codec.protocol.outbound(launch, options);
  return typeof handOff === 'function' ? handOff : raceAbort(handOff, deadline);
}

export function schemaTimeoutError<T, R>({ deliveryTimeout }: ResolvedOptions<T, R>): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_INVALID_ARGS',
    `Expected the schema to settle within ${deliveryTimeout} ms (deliveryTimeout); it did not, and nothing was sent.`,
  );
}

/** `undefined` where it was deleted. */
function workingDirectory(): string | undefined {
  try {
    return process.cwd();
  } catch {
    return undefined;
  }
}

/**
 * Connects and sees the launch through to its receipt. Where that may be tried again, resolves to why it failed: `nobody`
 * is there, or it was `cut-off` before the host took it. Rejects with the deadline's reason when that is over.
 */
export async function attempt<R>(
  transport: Transport,
  handOff: Deliver<R>,
  deadline: Deadline,
  onConnected?: () => void,
): Promise<DeliveryResult<R> | 'nobody' | 'cut-off'> {
  deadline.throwIfAborted();
  const connection = await transport.connect(deadline.connectOptions());
  if (!connection) return 'nobody';
  if (connection.destroyed) return 'cut-off';
  onConnected?.();
  connection.on('error', () => {});
  const forget = deadline.onAbort(() => resetConnection(connection));
  let delivery: DeliveryResult<R> | undefined;
  try {
    deadline.throwIfAborted();
    delivery = await handOff(connection);
    if (delivery) return delivery;
    deadline.throwIfAborted();
    return 'cut-off';
  } catch (error) {
    deadline.throwIfAborted();
    throw error;
  } finally {
    forget();
    if (!delivery?.waitForResult && !connection.destroyed) resetConnection(connection);
  }
}

/** The launch as far as its host has a say: where it waits, to the last word. Rejects when the wait is over. */
export async function finalReceipt<T, R>(
  { receipt, waitForResult }: DeliveryResult<R>,
  options: ResolvedOptions<T, R>,
  over: LazyAbortController | AbortSignal | undefined,
): Promise<Receipt<R>> {
  if (!waitForResult) return receipt;
  const deadline = new Deadline(options.wait, () => noResultError(options), over);
  try {
    return await waitForResult(stdioOf(options), deadline.signal);
  } finally {
    deadline.clear();
  }
}

/** The process's own are not touched before they are needed. */
function stdioOf<T, R>({ stdio: { stdout, stderr, stdin } }: ResolvedOptions<T, R>): Stdio {
  return {
    get stdout() {
      return stdout ?? process.stdout;
    },
    get stderr() {
      return stderr ?? process.stderr;
    },
    get stdin() {
      return stdin ?? process.stdin;
    },
  };
}

function noResultError<T, R>({ transport, wait }: ResolvedOptions<T, R>): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_HOST_UNRESPONSIVE',
    `Expected an answer of the host at ${transport.endpoint} within ${wait} ms (wait); it took the launch, and may be at it ` +
      'still. Allow it more time, or see what keeps it.',
  );
}

export function unresponsiveError<T, R>({ transport, deliveryTimeout }: ResolvedOptions<T, R>): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_HOST_UNRESPONSIVE',
    `Expected the host at ${transport.endpoint} to take the launch within ${deliveryTimeout} ms (deliveryTimeout); ` +
      'it holds the endpoint and did not. It may be frozen, too busy (maxConnections), of another codec, or another program.',
  );
}
