import { closeSync, constants, openSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { basename, dirname } from 'node:path';
import { SingletonError } from '../interface/errors.ts';

/** Who may remove the socket file of a crashed host: one process at a time, and the kernel lets go of it for a dead one. */
export interface KernelMutex {
  /** A host keeps it as long as it has the endpoint, because on this system a busy host looks like a dead one. */
  readonly isForLife: boolean;
  /**
   * Resolves to what lets go of it; to `undefined` where another process has it.
   * @throws SingletonError `ERR_SINGLETON_ENDPOINT_UNAVAILABLE` where the system has none
   */
  tryHold(path: string): Promise<(() => void) | undefined>;
}

export function kernelMutex(platform: NodeJS.Platform): KernelMutex {
  if (platform === 'linux' || platform === 'android') return { isForLife: false, tryHold: tryBind };
  if (EXCLUSIVE_LOCK.has(platform)) return { isForLife: true, tryHold: tryLock };
  return { isForLife: false, tryHold: refuse };
}

/** Without padding the one Node fills up with NULs and the other not, so that both could bind. Bun takes 106 at most. */
const ABSTRACT_NAME_BYTES = 107;

/** Linux: a socket of the abstract name space, which has no file. */
function tryBind(path: string): Promise<(() => void) | undefined> {
  const { createHash } = process.getBuiltinModule('node:crypto');
  // Of the directory, not of its name: there may be several.
  const { dev, ino } = statSync(dirname(path), { bigint: true });
  const id = createHash('sha256')
    .update(`${dev} ${ino} ${basename(path)}`)
    .digest('hex');
  const name = `socket-singleton ${id} `.padEnd(ABSTRACT_NAME_BYTES, '.');
  const server = createServer((socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(unavailable(path, error));
    });
    server.listen({ path: `\0${name}`, exclusive: true }, () => resolve(() => void server.close()));
  });
}

const EXCLUSIVE_LOCK: ReadonlySet<NodeJS.Platform> = new Set(['darwin', 'freebsd', 'netbsd', 'openbsd']);
/** The same on all of them: open and lock, as flock(2) does. Node has no name for it. */
const O_EXLOCK = 0x20;

/** macOS and the BSDs: a lock on a file beside the socket, which stays there, empty. */
async function tryLock(path: string): Promise<(() => void) | undefined> {
  const { O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_RDWR } = constants;
  try {
    const file = openSync(`${path}.lock`, O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_RDWR | O_EXLOCK, 0o600);
    return () => closeSync(file);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') return undefined;
    throw unavailable(path, error);
  }
}

async function refuse(path: string): Promise<never> {
  throw unavailable(path);
}

function unavailable(path: string, cause?: unknown): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
    `A host that crashed has left ${path} behind, and it cannot be told for sure that none runs. Remove it if so.`,
    cause === undefined ? undefined : { cause },
  );
}
