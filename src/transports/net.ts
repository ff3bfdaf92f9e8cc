import { createConnection, createServer, type NetConnectOpts, type Server, type Socket } from 'node:net';
import { codeOf, messageOf, SingletonError } from '../interface/errors.ts';
import { LinkedList } from '../interface/linked-list.ts';
import {
  type AbortableOptions,
  type Connection,
  type Listener,
  type ListenOptions,
  onAbort,
  type Transport,
} from '../interface/transport.ts';

/** What a socket is bound to. */
export type SocketAddress = { readonly host: string; readonly port: number } | { readonly path: string };

/** The key of what `systemd()` has to know of a transport. */
export const sockets: unique symbol = Symbol('sockets');

/** A transport whose endpoint is that of a socket, so that a socket bound by another process can take its place. */
export interface SocketTransport extends Transport {
  readonly [sockets]: {
    readonly address: SocketAddress;
    /** Makes a connection of a socket that was accepted. */
    readonly toConnection: (socket: Socket) => Connection;
  };
}

/** How a transport names its server, once it is listening and if it cannot. */
export interface ServerNaming {
  readonly endpointOf: (server: Server) => string;
  readonly unavailableError: (cause: unknown) => SingletonError;
}

/**
 * Binds an address or a path. Resolves to `undefined` if it is in use. With a `descriptor`, it listens on that socket, which is
 * bound already.
 */
export function listen(
  address: SocketAddress,
  { endpointOf, unavailableError }: ServerNaming,
  onSocket: (socket: Socket) => void,
  { onWarning }: ListenOptions,
  descriptor?: number,
): Promise<Listener | undefined> {
  const accepted = new LinkedList<Socket>();
  let isRef = true;
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on('close', accepted.add(socket));
    if (!isRef) socket.unref();
    onSocket(withPeerCheck(socket, address));
  });
  const setRef = (value: boolean): void => {
    isRef = value;
    for (const each of [server, ...accepted]) each[value ? 'ref' : 'unref']();
  };

  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(unavailableError(error));
    };
    server.once('error', onError);
    // Without `exclusive`, the workers of a cluster share the port and every one of them is a host.
    server.listen(descriptor === undefined ? { ...address, exclusive: true } : { fd: descriptor }, () => {
      const endpoint = endpointOf(server);
      server.off('error', onError);
      server.on('error', (cause) => onWarning(acceptFailedError(endpoint, cause)));
      resolve({
        endpoint,
        get descriptor() {
          return descriptorOf(server);
        },
        // close() frees the address synchronously. Its 'close' event would wait for all connections.
        close: async () => void server.close(),
        ref: () => setRef(true),
        unref: () => setRef(false),
      });
    });
  });
}

/** `any`: Node has no public way to it. On Windows and other runtimes there is none, nor after the server was closed. */
function descriptorOf(server: any): number | undefined {
  const { fd: descriptor }: Record<string, unknown> = Object(server['_handle']);
  return typeof descriptor === 'number' && descriptor >= 0 ? descriptor : undefined;
}

/** A Unix socket has a check of its own, by a write. */
function withPeerCheck(socket: Socket & Pick<Connection, 'isPeerGone'>, address: object): Socket {
  if ('port' in address) socket.isPeerGone = isPeerGone;
  return socket;
}

/**
 * After a reset by the peer, the system no longer knows the peer's address. Node caches `remoteAddress` on first access, so
 * this works only if nothing has read it before.
 */
function isPeerGone(this: Socket): boolean {
  return this.remoteAddress === undefined;
}

/** `ERR_SINGLETON_ENDPOINT_UNAVAILABLE`, with the transport's explanation of the system's error code if there is one. */
export function endpointUnavailableError(
  endpoint: string,
  cause: unknown,
  reasons: Readonly<Record<string, string>>,
): SingletonError {
  const reason = reasons[String(codeOf(cause))] ?? messageOf(cause);
  return new SingletonError('ERR_SINGLETON_ENDPOINT_UNAVAILABLE', `Cannot listen on ${endpoint}: ${reason}.`, {
    cause,
  });
}

/**
 * What a client connects to, made once for each transport. A host may answer after the client has ended. It is frozen because net
 * copies it for each socket: on Node 20, each copy of another object has a hidden class of its own, and a socket takes ten times
 * as long.
 */
export type Target = Readonly<NetConnectOpts> & { readonly allowHalfOpen: true };

/** Connects. Resolves to `undefined` if there is no host, and to a destroyed socket if the host reset it at once. */
export function connect(endpoint: string, target: Target, options: AbortableOptions): Promise<Socket | undefined> {
  return new Promise((resolve, reject) => {
    if (!options[onAbort] && options.signal.aborted) return reject(options.signal.reason);
    const socket = createConnection(target);
    const unsubscribe = subscribe(options, () => {
      socket.destroy();
      reject(options.signal.reason);
    });
    // They stay: an 'error' event without a listener would end the process.
    socket
      .on('connect', () => {
        unsubscribe();
        resolve(withPeerCheck(socket, target));
      })
      .on('error', (error: NodeJS.ErrnoException) => {
        unsubscribe();
        if (NO_HOST.has(error.code)) resolve(undefined);
        else if (RESET_BY_HOST.has(error.code)) resolve(socket);
        else reject(connectFailedError(endpoint, error));
      });
  });
}

function subscribe(options: AbortableOptions, callback: () => void): () => void {
  const subscribeLazily = options[onAbort];
  if (subscribeLazily) return subscribeLazily(callback);
  const { signal } = options;
  signal.addEventListener('abort', callback, { once: true });
  return () => signal.removeEventListener('abort', callback);
}

const NO_HOST: ReadonlySet<string | undefined> = new Set(['ECONNREFUSED', 'ENOENT']);
const RESET_BY_HOST: ReadonlySet<string | undefined> = new Set(['ECONNRESET', 'EPIPE']);

function acceptFailedError(endpoint: string, cause: Error): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_CONNECTION_FAILED',
    `Could not accept a connection at ${endpoint}: ${cause.message}. The host keeps listening; a common cause is too ` +
      'many open files.',
    { cause },
  );
}

function connectFailedError(endpoint: string, cause: Error): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_CONNECTION_FAILED',
    `Could not connect to ${endpoint}: ${cause.message}. Check the address, and that this process may connect to it.`,
    { cause },
  );
}
