import { tmpdir, userInfo } from 'node:os';
import { kernelMutex } from './kernel-mutex.ts';
import { namedPipe } from './named-pipe.ts';
import { resolvePath, type PipeOptions } from './pipe-path.ts';
import type { Transport } from './transport.ts';
import { unixSocket } from './unix-socket.ts';

export type { PipeOptions };

/**
 * A Unix socket, on Windows a named pipe: no port to choose, and no other user reaches the host. One host for each user
 * and name, or path. A crash leaves the place free.
 * @throws SingletonError `ERR_SINGLETON_INVALID_OPTION`
 */
export function pipe(options: PipeOptions): Transport {
  const where = resolvePath(options ?? {}, {
    platform: process.platform,
    env: process.env,
    tmpdir: tmpdir(),
    uid: process.getuid?.(),
    username: () => userInfo().username,
  });
  return where.kind === 'named-pipe' ? namedPipe(where.path) : unixSocket(where, kernelMutex(process.platform));
}
