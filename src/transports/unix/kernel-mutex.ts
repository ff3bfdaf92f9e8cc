import { once } from 'node:events';
import { closeSync, constants, openSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { basename, dirname } from 'node:path';
import { codeOf, messageOf, SingletonError } from '../../interface/errors.ts';

/**
 * A lock between processes. Only the process that has it may remove the socket file of a crashed host. The kernel
 * releases the lock when its process ends.
 */
export interface KernelMutex {
  /**
   * Whether a host keeps the lock as long as it has the endpoint. On macOS and the BSDs a socket with a full queue refuses
   * connections, so that a busy host looks like a crashed one.
   */
  readonly heldForProcessLifetime: boolean;
  /**
   * Locks, without waiting. Resolves to a function that unlocks, or to `undefined` if another process has the lock.
   * @throws SingletonError `ERR_SINGLETON_ENDPOINT_UNAVAILABLE` if the lock cannot be created on this system
   */
  tryLock(path: string): Promise<(() => void) | undefined>;
}

/** Returns the lock that this platform has. */
export function kernelMutex(platform: NodeJS.Platform): KernelMutex {
  if (platform === 'linux' || platform === 'android') {
    return { heldForProcessLifetime: false, tryLock: bindAbstractSockets };
  }
  if (HAS_EXCLUSIVE_OPEN.has(platform)) return { heldForProcessLifetime: true, tryLock: lockFile };
  return { heldForProcessLifetime: false, tryLock: rejectUnsupported };
}

/**
 * The lengths of the names that are bound. Node 20 pads a shorter name than 107 bytes with NULs, later versions and other
 * runtimes do not, so that two processes could bind "the same" name. Bun accepts 106 bytes at most. A process that binds
 * both names excludes every other one; only Node 20 and Bun have no name in common.
 */
const NAME_LENGTHS = 'bun' in process.versions ? [106] : [107, 106];

/** Linux: binds sockets in the abstract namespace, which have no file. */
async function bindAbstractSockets(path: string): Promise<(() => void) | undefined> {
  const { createHash } = process.getBuiltinModule('node:crypto');
  // The inode identifies the directory. Its path does not: there may be several.
  const { dev, ino } = statSync(dirname(path), { bigint: true });
  const id = createHash('sha256')
    .update(`${dev} ${ino} ${basename(path)}`)
    .digest('hex');
  const servers: Server[] = [];
  const unlock = (): void => {
    for (const server of servers) server.close();
  };
  for (const length of NAME_LENGTHS) {
    const server = createServer((socket) => socket.destroy());
    try {
      server.listen({ path: `\0socket-singleton ${id} `.padEnd(length + 1, '.'), exclusive: true });
      await once(server, 'listening');
      servers.push(server);
    } catch (error) {
      unlock();
      if (codeOf(error) === 'EADDRINUSE') return undefined;
      throw lockFailedError(path, error);
    }
  }
  return unlock;
}

const HAS_EXCLUSIVE_OPEN: ReadonlySet<NodeJS.Platform> = new Set(['darwin', 'freebsd', 'netbsd', 'openbsd']);
/** Opens and locks a file in one call, as flock(2) does. The value is the same on all of these systems; Node has no constant. */
const O_EXLOCK = 0x20;

/** macOS and the BSDs: locks a file beside the socket. The file is empty and is not removed. */
async function lockFile(path: string): Promise<(() => void) | undefined> {
  const { O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_RDWR } = constants;
  try {
    const file = openSync(lockFilePath(path), O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_RDWR | O_EXLOCK, 0o600);
    return () => closeSync(file);
  } catch (error) {
    if (codeOf(error) === 'EAGAIN') return undefined;
    throw lockFailedError(path, error);
  }
}

export function lockFilePath(path: string): string {
  return `${path}.lock`;
}

async function rejectUnsupported(path: string): Promise<never> {
  throw new SingletonError(
    'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
    `The socket file ${path} exists, but nothing answers there: its host has probably crashed. This system has no lock ` +
      'with which to replace the file safely. Remove the file if no host is running.',
  );
}

function lockFailedError(path: string, cause: unknown): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
    `Cannot lock ${path}: ${messageOf(cause)}. Without the lock a launch cannot ` +
      'safely replace the socket file of a crashed host. Choose another path or name.',
    { cause },
  );
}
