import { json } from '../codecs/json.ts';
import { type HostStatus, Singleton, SingletonError, type StatusOptions, type Transport } from '../index.ts';
import { REFUSED_STATUS, statusOfError } from './exit-status.ts';

/** Of a host with another codec than `json()` only the endpoint is known. @throws SingletonError */
export async function hostStatus(options: StatusOptions): Promise<HostStatus> {
  const status = await Singleton.status({ ...options, codec: json() });
  if (status) return status;
  throw new SingletonError('ERR_SINGLETON_NO_HOST', `No host is listening at ${options.transport?.endpoint}.`);
}

/** What identifies host and client, at an endpoint. */
export interface HeldOptions extends StatusOptions {
  readonly transport: Transport;
}

/**
 * Whether a host holds an endpoint that is in use, or something that does not answer: a host that is stopped, or the command of
 * a "run" that was killed. `false` if nothing listens there now.
 * @throws SingletonError for another program, and for a host that refuses the secret or is of another application
 */
export async function isHeld(options: HeldOptions): Promise<boolean> {
  const { transport, signal, deliveryTimeout = HELD_TIMEOUT } = options;
  let hasClosed = false;
  const onClosed = (): void => void (hasClosed = true);
  const watched: Transport = {
    ...transport,
    connect: async (connectOptions) =>
      (await transport.connect(connectOptions))?.once('end', onClosed).once('error', onClosed),
  };
  try {
    const asked = { ...options, transport: watched, codec: json(), deliveryTimeout };
    return (await Singleton.status(asked)) !== undefined;
  } catch (error) {
    if (error instanceof SingletonError && statusOfError(error) === REFUSED_STATUS) throw error;
  }
  if (!hasClosed || signal?.aborted || !(await closesUnasked(transport, deliveryTimeout, signal))) return true;
  throw new SingletonError(
    'ERR_SINGLETON_FOREIGN_HOST',
    `Another program holds ${transport.endpoint}: it closes each connection without an answer. Choose another endpoint.`,
  );
}

/** Milliseconds until an endpoint whose holder does not answer counts as held. */
const HELD_TIMEOUT = 2000;

/**
 * Whether a connection ends on which nothing was sent. A host waits for a message, or resets it. A Python host, too, closes one on
 * which it has read a message that it does not know, so that such a message is no test.
 */
async function closesUnasked(
  transport: Transport,
  timeout: number,
  aborted: AbortSignal | undefined,
): Promise<boolean> {
  const signal = AbortSignal.any([AbortSignal.timeout(timeout), ...(aborted ? [aborted] : [])]);
  const connection = await transport.connect({ signal }).catch(() => undefined);
  if (!connection || connection.destroyed) return false;
  try {
    return await new Promise<boolean>((resolve) => {
      const isNoEnd = (): void => resolve(false);
      connection.once('end', () => resolve(true)).on('error', isNoEnd);
      connection.once('close', isNoEnd).resume();
      signal.addEventListener('abort', isNoEnd, { once: true });
      if (signal.aborted) isNoEnd();
    });
  } finally {
    connection.destroy();
  }
}
