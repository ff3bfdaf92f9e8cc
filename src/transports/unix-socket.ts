import { type FSWatcher, watch } from 'node:fs';
import type { Socket } from 'node:net';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SingletonError } from '../interface/errors.ts';
import type { Connection, ConnectOptions, Listener, ListenOptions, Transport } from '../interface/transport.ts';
import type { KernelMutex } from './kernel-mutex.ts';
import { connect, listen, type ServerNaming, endpointUnavailableError } from './net.ts';
import { checkDirectory, type SocketPath } from './pipe-path.ts';
import { readingReset, withReset } from './pipe-reset.ts';
import { SocketFile, temporaryName } from './socket-file.ts';
/** A Unix socket: its file outlives a host that crashes, and the next one clears it. */
export function unixSocket({ path, directory }: SocketPath, mutex: KernelMutex): Transport {
  const endpoint = `unix://${path}`;
  /** A connect found nobody, so that a socket that is there may be a dead host's. */
  let maybeStale = false;
  const open = (): SocketFile => new SocketFile(path, directory.uid, mutex);
  const naming: ServerNaming = {
    endpointOf: () => endpoint,
    unavailable: (cause) => endpointUnavailableError(endpoint, cause, REASONS),
  };

  async function tryListen(
    onConnection: (connection: Connection) => void,
    options: ListenOptions,
  ): Promise<Listener | undefined> {
    checkDirectory(directory, { make: true });
    const file = open();
    if (file.exists && options.skipProbe && !maybeStale) return undefined;
    const temporary = temporaryName(path);
    const onSocket = (socket: Socket): void =>
      onConnection(Object.assign(withReset(socket), { isPeerGone: isPeerGone, isProbe: isProbe }));
    const listener = await listen({ path: temporary }, naming, onSocket, options);
    let isPublished = false;
    try {
      isPublished = listener !== undefined && (await file.link(temporary));
      return isPublished && listener ? linked(listener, file, options) : undefined;
    } finally {
      if (!isPublished) await listener?.close();
    }
  }

  function linked(listener: Listener, file: SocketFile, { onLost }: ListenOptions): Listener {
    const watching = watchFile(path, () => {
      if (file.isOwn) return;
      watching.close();
      onLost();
    });
    return {
      ...listener,
      async close() {
        watching.close();
        try {
          file.unlink();
        } finally {
          await listener.close();
        }
      },
    };
  }

  return {
    endpoint,
    async listen(onConnection, options) {
      try {
        return await tryListen(onConnection, options);
      } catch (error) {
        throw error instanceof SingletonError ? error : naming.unavailable(error);
      }
    },
    async connect(options) {
      maybeStale = false;
      if (!checkDirectory(directory, { make: false }) || !open().exists) return undefined;
      const socket = await connectWithRetry(path, options);
      maybeStale = socket === undefined;
      return socket;
    },
  };
}

/** A full queue refuses at once: somebody is there, and busy. */
async function connectWithRetry(path: string, options: ConnectOptions): Promise<Socket | undefined> {
  for (;;) {
    try {
      return readingReset(await connect({ path }, options));
    } catch (error) {
      if (!isBusy(error)) throw error;
      await sleep(PAUSE / 2 + Math.random() * PAUSE, undefined, options).catch(() => {});
    }
  }
}

/** Milliseconds between two tries, on average. */
const PAUSE = 30;

function isBusy(error: unknown): boolean {
  const cause = error instanceof SingletonError ? error.cause : undefined;
  return cause instanceof Error && 'code' in cause && cause.code === 'EAGAIN';
}

/** Nothing but a write tells whether a side that has ended is still there, and one of no bytes is not seen by it. */
function isPeerGone(this: Socket): boolean {
  if (this.writable) this.write('');
  return this.errored !== null;
}

function isProbe(this: Socket): boolean {
  return this.bytesRead === 0 && this.readableEnded;
}

const REASONS = {
  EACCES: 'the system does not allow it. Choose a path that is yours',
  EPERM: 'the file system has no hard links. Choose another path',
  EROFS: 'the file system cannot be written to. Choose another path',
};

/** Milliseconds between two looks where the system tells of no change: some file systems do not. */
const INTERVAL = 5000;

/** Looks whenever something happens in the directory of a file, and now and then; does not keep the process alive. */
export function watchFile(path: string, look: () => void): { close(): void } {
  const timer = setInterval(look, INTERVAL).unref();
  const watcher = tryWatch(dirname(path), look);
  return {
    close() {
      clearInterval(timer);
      watcher?.close();
    },
  };
}

/** `undefined` where the system has no more of them. */
function tryWatch(directory: string, look: () => void): FSWatcher | undefined {
  try {
    // Errors end it, and the looks go on.
    return watch(directory, { persistent: false }, look).on('error', () => {});
  } catch {
    return undefined;
  }
}
