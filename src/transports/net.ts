import { createConnection, createServer, type NetConnectOpts, type Server, type Socket } from 'node:net';
import { SingletonError } from '../interface/errors.ts';
import type { ConnectOptions, Listener, ListenOptions } from '../interface/transport.ts';

/** How a transport names what it listens on. */
export interface ServerNaming {
  readonly endpointOf: (server: Server) => string;
  readonly unavailable: (cause: unknown) => SingletonError;
}

/** Listens; taken is `undefined`. */
export function listen(
  where: { readonly host: string; readonly port: number } | { readonly path: string },
  { endpointOf, unavailable }: ServerNaming,
  onSocket: (socket: Socket) => void,
  { onWarning }: ListenOptions,
): Promise<Listener | undefined> {
  const sockets = new Set<Socket>();
  let isRef = true;
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    if (!isRef) socket.unref();
    onSocket(socket);
  });
  const setRef = (value: boolean): void => {
    isRef = value;
    for (const one of [server, ...sockets]) one[value ? 'ref' : 'unref']();
  };

  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(unavailable(error));
    };
    server.once('error', onError);
    // exclusive: else every worker of a cluster would be host.
    server.listen({ ...where, exclusive: true }, () => {
      server.off('error', onError);
      server.on('error', (cause) => onWarning(connectionFailedError('A connection could not be accepted', cause)));
      resolve({
        endpoint: endpointOf(server),
        // The descriptor is closed within the call; the server's 'close' waits for its connections.
        close: async () => void server.close(),
        ref: () => setRef(true),
        unref: () => setRef(false),
      });
    });
  });
}

/** `ERR_SINGLETON_ENDPOINT_UNAVAILABLE`: says why in words of the transport, by the system's code, or in the system's. */
export function endpointUnavailableError(
  endpoint: string,
  cause: unknown,
  reasons: Readonly<Record<string, string>>,
): SingletonError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const reason = reasons[code] ?? (cause instanceof Error ? cause.message : String(cause));
  return new SingletonError('ERR_SINGLETON_ENDPOINT_UNAVAILABLE', `Cannot listen on ${endpoint}: ${reason}.`, {
    cause,
  });
}

/** Connects; nobody there is `undefined`. Somebody who was there and closed at once is a connection that is destroyed. */
export function connect(where: NetConnectOpts, options: ConnectOptions): Promise<Socket | undefined> {
  return new Promise((resolve, reject) => {
    if (!options.onAbort && options.signal.aborted) return reject(options.signal.reason);
    const socket = createConnection({ ...where, allowHalfOpen: true, noDelay: true });
    const forget = onAbort(options, () => void socket.destroy());
    const onConnect = (): void => {
      settle();
      resolve(socket);
    };
    const onError = (error: NodeJS.ErrnoException): void => {
      settle();
      if (NOBODY_THERE.has(error.code)) resolve(undefined);
      else if (CLOSED_AT_ONCE.has(error.code)) resolve(socket);
      else reject(connectionFailedError('The endpoint could not be reached', error));
    };
    const onClose = (): void => {
      settle();
      reject(options.signal.reason);
    };
    const settle = (): void => {
      forget();
      socket.off('connect', onConnect).off('close', onClose);
    };
    // onError stays: an error that nobody listens to would end the process.
    socket.once('connect', onConnect).on('error', onError).once('close', onClose);
  });
}

function onAbort(options: ConnectOptions, callback: () => void): () => void {
  if (options.onAbort) return options.onAbort(callback);
  const { signal } = options;
  signal.addEventListener('abort', callback, { once: true });
  return () => signal.removeEventListener('abort', callback);
}

const NOBODY_THERE: ReadonlySet<string | undefined> = new Set(['ECONNREFUSED', 'ENOENT']);
const CLOSED_AT_ONCE: ReadonlySet<string | undefined> = new Set(['ECONNRESET', 'EPIPE']);

function connectionFailedError(what: string, cause: Error): SingletonError {
  return new SingletonError('ERR_SINGLETON_CONNECTION_FAILED', `${what}: ${cause.message}.`, { cause });
}
