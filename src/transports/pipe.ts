import { tmpdir, userInfo } from 'node:os';
import type { Transport } from '../interface/transport.ts';
import { kernelMutex } from './kernel-mutex.ts';
import { connect, listen, type ServerNaming, endpointUnavailableError } from './net.ts';
import { type PipeOptions, resolvePath } from './pipe-path.ts';
import { readingReset, withReset } from './pipe-reset.ts';
import { unixSocket } from './unix-socket.ts';
export type { PipeOptions };

/**
 * A Unix socket, on Windows a named pipe: no port to choose, and no other user reaches the host. One host for each user
 * and name, or path. A crash leaves the endpoint free.
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

/** A named pipe of Windows: the system frees the endpoint when its host is gone. */
export function namedPipe(path: string): Transport {
  const naming: ServerNaming = {
    endpointOf: () => path,
    unavailable: (cause) => endpointUnavailableError(path, cause, REASONS),
  };
  return {
    endpoint: path,
    listen: (onConnection, options) => listen({ path }, naming, (socket) => onConnection(withReset(socket)), options),
    connect: async (options) => readingReset(await connect({ path }, options)),
  };
}

const REASONS = { EACCES: 'the system does not allow this name. Choose another' };
