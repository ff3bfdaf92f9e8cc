import type { HandOff } from '../codecs/codec.ts';
import { abort, type Transport } from '../transports/transport.ts';
import { Deadline, orAborted } from './deadline.ts';
import { SingletonError } from './errors.ts';
import type { ResolvedOptions } from './options.ts';
import type { Receipt } from './receipt.ts';

/** A hand-off to a host that must be there. */
export async function send<T>(options: ResolvedOptions<T>): Promise<Receipt> {
  const { transport } = options;
  const deadline = new Deadline(options.handOffTimeout, () => unresponsive(options), options.signal);
  try {
    deadline.signal.throwIfAborted();
    const handOff = await orAborted(prepare(options), deadline.signal);
    for (;;) {
      const result = await deliver(transport, handOff, deadline.signal);
      if (typeof result === 'object') return result;
      if (result === 'nobody') throw noHost(options);
      if (!(await deadline.pause())) throw unresponsive(options);
    }
  } finally {
    deadline.clear();
  }
}

function noHost<T>({ transport }: ResolvedOptions<T>): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_NO_HOST',
    `Expected a host at ${transport.place}; nobody is there. Start the program first.`,
  );
}

/** Rejects with a SingletonError when the launch cannot be encoded. */
export async function prepare<T>(options: ResolvedOptions<T>): Promise<HandOff> {
  const { codec, args } = options;
  return codec.protocol.prepare({ args, cwd: workingDirectory(), pid: process.pid }, options);
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
 * is there, or it was `cut-off` before the host took it. Rejects with the signal's reason when that aborts.
 */
export async function deliver(
  transport: Transport,
  handOff: HandOff,
  signal: AbortSignal,
): Promise<Receipt | 'nobody' | 'cut-off'> {
  signal.throwIfAborted();
  const connection = await transport.connect({ signal });
  if (!connection) return 'nobody';
  connection.on('error', () => {});
  const cut = (): void => abort(connection);
  signal.addEventListener('abort', cut, { once: true });
  try {
    signal.throwIfAborted();
    const receipt = await handOff(connection);
    if (receipt) return receipt;
    signal.throwIfAborted();
    return 'cut-off';
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', cut);
    if (!connection.destroyed) abort(connection);
  }
}

export function unresponsive<T>({ transport, handOffTimeout }: ResolvedOptions<T>): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_HOST_UNRESPONSIVE',
    `Expected the host at ${transport.place} to take the launch within ${handOffTimeout} ms (handOffTimeout); ` +
      'it holds the place and did not. It may be frozen, too busy (maxConnections), or another program.',
  );
}
