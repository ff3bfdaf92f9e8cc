import type { HandOff } from '../codecs/codec.ts';
import { abort, type Transport } from '../transports/transport.ts';
import { Deadline } from './deadline.ts';
import { SingletonError } from './errors.ts';
import type { ResolvedOptions } from './options.ts';
import type { Receipt } from './receipt.ts';

/** One hand-off to a host that must be there. */
export async function send<T>(options: ResolvedOptions<T>): Promise<Receipt> {
  const { transport } = options;
  const handOff = prepare(options);
  const deadline = new Deadline(options.handOffTimeout, () => unresponsive(options), options.signal);
  try {
    const receipt = await deliver(transport, handOff, deadline.signal);
    if (receipt) return receipt;
    throw new SingletonError(
      'ERR_SINGLETON_NO_HOST',
      `Expected a host at ${transport.place}; nobody took the launch. Start the program first.`,
    );
  } finally {
    deadline.clear();
  }
}

/** @throws SingletonError when the launch cannot be encoded */
export function prepare<T>(options: ResolvedOptions<T>): HandOff {
  return options.codec.protocol.prepare({ args: options.args, cwd: process.cwd(), pid: process.pid }, options);
}

/**
 * Connects and sees the launch through to its receipt. Resolves to `undefined` where nobody took it, rejects with the
 * signal's reason when that aborts.
 */
export async function deliver(
  transport: Transport,
  handOff: HandOff,
  signal: AbortSignal,
): Promise<Receipt | undefined> {
  signal.throwIfAborted();
  const connection = await transport.connect({ signal });
  if (!connection) return undefined;
  connection.on('error', () => {});
  const cut = (): void => abort(connection);
  signal.addEventListener('abort', cut, { once: true });
  try {
    signal.throwIfAborted();
    const receipt = await handOff(connection);
    if (!receipt) signal.throwIfAborted();
    return receipt;
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
      'it holds the place and does not answer. It may be frozen, or another program.',
  );
}
