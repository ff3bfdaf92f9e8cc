import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, SingletonError } from '../../interface/errors.ts';
import type { Connection, ConnectOptions, Listener, ListenOptions, Transport } from '../../interface/transport.ts';
import {
  connect,
  endpointUnavailableError,
  listen,
  type ServerNaming,
  sockets,
  type SocketTransport,
  type Target,
} from '../net.ts';
import type { KernelMutex } from './kernel-mutex.ts';
import type { SocketPath } from './path.ts';
import { detectReset, withReset } from './reset.ts';
import {
  checkDirectory,
  createTemporary,
  type Directory,
  directoryRemedy,
  removeTemporary,
  socketIn,
} from './directory.ts';
import { SocketFile } from './socket-file.ts';
import { type Bound, UnixListener, watchFile } from './listener.ts';

/** A Unix socket. Its file outlives a host that crashes, and the next host removes it. */
export function unixSocket({ path, directory }: SocketPath, mutex: KernelMutex): Transport {
  const endpoint = `unix://${path}`;
  const target: Target = Object.freeze({ path, allowHalfOpen: true });
  /** The last connect found no host, so that a socket at the path may be stale. */
  let maybeStale = false;
  const createFile = (): SocketFile => new SocketFile(path, directory, mutex);
  const naming: ServerNaming = {
    endpointOf: () => endpoint,
    unavailableError: (cause) => endpointUnavailableError(endpoint, cause, reasonsOf(cause, directory)),
  };

  async function tryBind(
    onConnection: (connection: Connection) => void,
    options: ListenOptions,
  ): Promise<Bound | undefined> {
    checkDirectory(directory, { create: true });
    const file = createFile();
    if (file.exists && options.skipProbe && !maybeStale) return undefined;
    const onSocket = (socket: Socket): void => onConnection(toConnection(socket));
    const temporary = createTemporary(path);
    let listener: Listener | undefined;
    let isLinked = false;
    try {
      listener = await listen({ path: socketIn(temporary) }, naming, onSocket, options);
      isLinked = listener !== undefined && (await file.link(temporary));
      return isLinked && listener ? { listener, file } : undefined;
    } finally {
      removeTemporary(temporary);
      if (!isLinked) await listener?.close();
    }
  }

  async function bind(
    onConnection: (connection: Connection) => void,
    options: ListenOptions,
  ): Promise<Bound | undefined> {
    try {
      return await tryBind(onConnection, options);
    } catch (error) {
      throw error instanceof SingletonError ? error : naming.unavailableError(error);
    }
  }

  const transport: SocketTransport = {
    endpoint,
    connectFirst: true,
    advice: 'Another program may be using the path.',
    [sockets]: { address: { path }, toConnection },
    async listen(onConnection, options) {
      const bound = await bind(onConnection, options);
      return bound && new UnixListener(path, bound, () => bind(onConnection, options), options);
    },
    async connect(options) {
      maybeStale = false;
      if (!checkDirectory(directory, { create: false }) || !createFile().exists) return undefined;
      const socket = await connectWithRetry(endpoint, target, options);
      maybeStale = socket === undefined;
      return socket;
    },
    watch(onChange) {
      // Each attempt to bind creates and removes files beside the socket.
      return watchFile(path, () => createFile().state === 'missing' && onChange());
    },
  };
  return transport;
}

function toConnection(socket: Socket): Connection {
  return Object.assign(withReset(socket), { isPeerGone });
}

/** Retries while the host's queue of connections is full (EAGAIN): the host is busy or frozen. */
async function connectWithRetry(
  endpoint: string,
  target: Target,
  options: ConnectOptions,
): Promise<Socket | undefined> {
  for (;;) {
    try {
      return detectReset(await connect(endpoint, target, options));
    } catch (error) {
      if (!isQueueFull(error)) throw error;
      await sleep(RETRY_DELAY / 2 + Math.random() * RETRY_DELAY, undefined, options).catch(() => {});
    }
  }
}

/** Milliseconds between two attempts, on average. */
const RETRY_DELAY = 30;

function isQueueFull(error: unknown): boolean {
  const cause = error instanceof SingletonError ? error.cause : undefined;
  return codeOf(cause) === 'EAGAIN';
}

/** Only a write finds out whether a peer that has half-closed is still connected. The peer does not see an empty one. */
function isPeerGone(this: Socket): boolean {
  if (this.writable) this.write('');
  return this.errored !== null;
}

/** Explains the error codes of the system that another directory may help with. */
function reasonsOf(cause: unknown, directory: Directory): Record<string, string> {
  const isLink = Object(cause).syscall === 'link';
  const remedy = directoryRemedy(directory);
  const forbidden = `${isLink ? NO_HARD_LINKS : 'the system does not allow it'}. ${remedy}`;
  const readOnly = `the file system is read-only. ${remedy}`;
  return { EACCES: forbidden, EPERM: forbidden, ENOSYS: forbidden, ENOTSUP: forbidden, EROFS: readOnly };
}

const NO_HARD_LINKS = 'hard links are not possible there: Android forbids them, and some file systems have none';
