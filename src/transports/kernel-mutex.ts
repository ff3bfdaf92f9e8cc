import { closeSync, constants, openSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { basename, dirname } from 'node:path';
import { SingletonError } from '../interface/errors.ts';

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
    return { heldForProcessLifetime: false, tryLock: bindAbstractSocket };
  }
  if (HAS_EXCLUSIVE_OPEN.has(platform)) return { heldForProcessLifetime: true, tryLock: lockFile };
  return { heldForProcessLifetime: false, tryLock: rejectUnsupported };
}

/**
 * Some versions of Node pad a shorter name with NULs and others do not, so that two processes could bind "the same" name.
 * Bun accepts 106 bytes at most.
 */
const ABSTRACT_NAME_BYTES = 107;

/** Linux: binds a socket in the abstract namespace, which has no file. */
function bindAbstractSocket(path: string): Promise<(() => void) | undefined> {
  const { createHash } = process.getBuiltinModule('node:crypto');
  // The inode identifies the directory. Its path does not: there may be several.
  const { dev, ino } = statSync(dirname(path), { bigint: true });
  const id = createHash('sha256')
    .update(`${dev} ${ino} ${basename(path)}`)
    .digest('hex');
  const name = `socket-singleton ${id} `.padEnd(ABSTRACT_NAME_BYTES, '.');
  const server = createServer((socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(lockFailedError(path, error));
    });
    server.listen({ path: `\0${name}`, exclusive: true }, () => resolve(() => void server.close()));
  });
}

const HAS_EXCLUSIVE_OPEN: ReadonlySet<NodeJS.Platform> = new Set(['darwin', 'freebsd', 'netbsd', 'openbsd']);
/** Opens and locks a file in one call, as flock(2) does. The value is the same on all of these systems; Node has no constant. */
const O_EXLOCK = 0x20;

/** macOS and the BSDs: locks a file beside the socket. The file is empty and is not removed. */
async function lockFile(path: string): Promise<(() => void) | undefined> {
  const { O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_RDWR } = constants;
  try {
    const file = openSync(`${path}.lock`, O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_RDWR | O_EXLOCK, 0o600);
    return () => closeSync(file);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') return undefined;
    throw lockFailedError(path, error);
  }
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
    `Cannot lock ${path}: ${cause instanceof Error ? cause.message : String(cause)}. Without the lock a launch cannot ` +
      'safely replace the socket file of a crashed host. Choose another path.',
    { cause },
  );
}
