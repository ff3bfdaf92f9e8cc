import { messageOf, SingletonError } from '../../interface/errors.ts';
import { type Connection, KEEP_ALIVE_DELAY, type Listener, type ListenOptions } from '../../interface/transport.ts';
import { endpointAt, tcp } from '../tcp.ts';
import { acquire, type LeaseTarget } from './acquire.ts';
import type { Holding } from './holding.ts';
import { isOfOneMachine, requestTimeout, type ResolvedLeaseOptions } from './options.ts';
import { jitter, pause, persistentRequest } from './requests.ts';

/** Milliseconds before a port that is in use is bound again. */
const PORT_RETRY_INTERVAL = 200;

type OnConnection = (connection: Connection) => void;

/** Binds a TCP port, then acquires the key, which was free a moment ago. Resolves to `undefined` if another process holds it. */
export async function bind(
  options: ResolvedLeaseOptions,
  onConnection: OnConnection,
  listenOptions: ListenOptions,
): Promise<Listener | undefined> {
  const address = advertisedAddress(options);
  for (;;) {
    const server = await bindPort(options, address, onConnection, listenOptions);
    if (!server) return undefined;
    const port = options.advertise.port || portOf(server);
    try {
      const holding = await acquire(options, { address, port }, listenOptions);
      if (holding?.isHeld()) return listenerOf(options, server, holding, { address, port }, listenOptions);
      await server.close();
      if (!holding) return undefined;
    } catch (error) {
      await server.close();
      throw error;
    }
  }
}

/** Resolves to `undefined` if another process has acquired the key. A process of this machine that is about to may have the port. */
async function bindPort(
  { store, ttl, listen, clock }: ResolvedLeaseOptions,
  advertised: string,
  onConnection: OnConnection,
  listenOptions: ListenOptions,
): Promise<Listener | undefined> {
  const { address = advertised, port = 0 } = listen;
  const transport = tcp({ address, port });
  const onAccepted: OnConnection = (connection) => {
    connection.setKeepAlive?.(true, KEEP_ALIVE_DELAY);
    onConnection(connection);
  };
  const begun = clock.now();
  for (;;) {
    const server = await transport.listen(onAccepted, listenOptions);
    if (server) return server;
    const error = portInUseError(transport.endpoint);
    if (clock.now() - begun > ttl) throw error;
    listenOptions.onRetry?.(error);
    await pause(jitter(PORT_RETRY_INTERVAL), listenOptions.signal);
    if (await persistentRequest((each) => store.read(each), requestTimeout(ttl), listenOptions)) return undefined;
  }
}

function listenerOf(
  options: ResolvedLeaseOptions,
  server: Listener,
  holding: Holding,
  { address, port }: LeaseTarget,
  { onWarning }: ListenOptions,
): Listener {
  const { endpoint } = options.store;
  if (options.advertise.address === undefined && isLoopback(address)) onWarning(loopbackWarning(endpoint, address));
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    // First, so that the next host on this machine finds the port free.
    await server.close();
    const error = await holding.release();
    if (error !== undefined) onWarning(notReleasedWarning(options, error));
  };
  holding.onBound();
  return {
    endpoint,
    address: endpointAt(address, port),
    token: holding.token,
    isHeld: () => holding.isHeld(),
    close: () => (closing ??= close()),
    ref: () => server.ref(),
    unref: () => server.unref(),
  };
}

/** An address that stands for all of the machine cannot be advertised. */
function advertisedAddress({ store, listen, advertise }: ResolvedLeaseOptions): string {
  const bound = listen.address !== undefined && isOfOneMachine(listen.address) ? listen.address : undefined;
  return advertise.address ?? bound ?? store.localAddress?.replace(/^::ffff:(?=\d+\.)/i, '') ?? '127.0.0.1';
}

function isLoopback(address: string): boolean {
  return address === 'localhost' || address === '::1' || address.startsWith('127.');
}

function portOf({ endpoint }: Listener): number {
  return Number(endpoint.slice(endpoint.lastIndexOf(':') + 1));
}

function portInUseError(endpoint: string): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
    `Cannot listen on ${endpoint}: the port is in use. Choose another one in the option "listen", or none.`,
  );
}

function loopbackWarning(endpoint: string, address: string): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
    `Other machines cannot reach the host of ${endpoint}: it advertises ${address}, which is an address of each machine itself. ` +
      'Set the option "advertise" to an address of this machine in the network.',
  );
}

function notReleasedWarning({ store, ttl }: ResolvedLeaseOptions, cause: unknown): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_CONNECTION_FAILED',
    `The lease of ${store.endpoint} could not be released: ${messageOf(cause)}. It expires after ${ttl} ms at the latest.`,
    { cause },
  );
}
