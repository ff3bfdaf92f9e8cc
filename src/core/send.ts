import type { Delivery, HandOff, Streams } from '../interface/codec.ts';
import { SingletonError } from '../interface/errors.ts';
import type { Receipt } from '../interface/receipt.ts';
import { abort, type Transport } from '../interface/transport.ts';
import { Deadline, type Ending, unlessOver } from './deadline.ts';
import type { ResolvedOptions } from './options.ts';

/** A hand-off to a host that must be there, to its end. */
export async function send<T, R>(options: ResolvedOptions<T, R>): Promise<Receipt<R>> {
  return conclude(await handOver(options), options, options.signal);
}

async function handOver<T, R>(options: ResolvedOptions<T, R>): Promise<Delivery<R>> {
  const { transport } = options;
  let expired = unprepared;
  const deadline = new Deadline(options.handOffTimeout, () => expired(options), options.signal);
  try {
    deadline.throwIfOver();
    const handOff = await prepare(options, deadline);
    expired = unresponsive;
    for (let cutOff = 1; ; cutOff += 1) {
      const result = await deliver(transport, handOff, deadline);
      if (typeof result === 'object') return result;
      if (result === 'nobody') throw noHost(options);
      if (!(await deadline.pause(cutOff))) throw unresponsive(options);
    }
  } finally {
    deadline.clear();
  }
}

function noHost<T, R>({ transport }: ResolvedOptions<T, R>): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_NO_HOST',
    `Expected a host at ${transport.place}; nobody is there. Start the program first.`,
  );
}

/** Only a schema takes its time. @throws SingletonError when the launch cannot be encoded */
export function prepare<T, R>(options: ResolvedOptions<T, R>, deadline: Deadline): HandOff<R> | Promise<HandOff<R>> {
  const { codec, args } = options;
  const launch = { args, cwd: workingDirectory(), pid: process.pid, wait: options.wait > 0 };
  const handOff = codec.protocol.prepare(launch, options);
  return typeof handOff === 'function' ? handOff : unlessOver(handOff, deadline);
}

export function unprepared<T, R>({ handOffTimeout }: ResolvedOptions<T, R>): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_INVALID_ARGS',
    `Expected the schema to settle within ${handOffTimeout} ms (handOffTimeout); it did not, and nothing was sent.`,
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
export async function deliver<R>(
  transport: Transport,
  handOff: HandOff<R>,
  deadline: Deadline,
  onConnected?: () => void,
): Promise<Delivery<R> | 'nobody' | 'cut-off'> {
  deadline.throwIfOver();
  const connection = await transport.connect(deadline.toConnectOptions());
  if (!connection) return 'nobody';
  if (connection.destroyed) return 'cut-off';
  onConnected?.();
  connection.on('error', () => {});
  const forget = deadline.onAbort(() => abort(connection));
  let delivery: Delivery<R> | undefined;
  try {
    deadline.throwIfOver();
    delivery = await handOff(connection);
    if (delivery) return delivery;
    deadline.throwIfOver();
    return 'cut-off';
  } catch (error) {
    deadline.throwIfOver();
    throw error;
  } finally {
    forget();
    if (!delivery?.stay && !connection.destroyed) abort(connection);
  }
}

/** The launch as far as its host has a say: where it waits, to the last word. Rejects when the wait is over. */
export async function conclude<T, R>(
  { receipt, stay }: Delivery<R>,
  options: ResolvedOptions<T, R>,
  over: Ending | AbortSignal | undefined,
): Promise<Receipt<R>> {
  if (!stay) return receipt;
  const deadline = new Deadline(options.wait, () => unanswered(options), over);
  try {
    return await stay(streamsOf(options), deadline.signal);
  } finally {
    deadline.clear();
  }
}

/** The process's own are not touched before they are needed. */
function streamsOf<T, R>({ streams: { stdout, stderr, stdin } }: ResolvedOptions<T, R>): Streams {
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

function unanswered<T, R>({ transport, wait }: ResolvedOptions<T, R>): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_HOST_UNRESPONSIVE',
    `Expected an answer of the host at ${transport.place} within ${wait} ms (wait); it took the launch, and may be at it ` +
      'still. Allow it more time, or see what keeps it.',
  );
}

export function unresponsive<T, R>({ transport, handOffTimeout }: ResolvedOptions<T, R>): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_HOST_UNRESPONSIVE',
    `Expected the host at ${transport.place} to take the launch within ${handOffTimeout} ms (handOffTimeout); ` +
      'it holds the place and did not. It may be frozen, too busy (maxConnections), of another codec, or another program.',
  );
}
