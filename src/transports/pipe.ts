import { checkOptionNames, type OptionNames } from '../interface/option-names.ts';
import type { Transport } from '../interface/transport.ts';
import {
  connect,
  endpointUnavailableError,
  listen,
  type ServerNaming,
  sockets,
  type SocketTransport,
  type Target,
} from './net.ts';
import { kernelMutex } from './unix/kernel-mutex.ts';
import { type PipeOptions, resolvePath, thisSystem } from './unix/path.ts';
import { detectReset, withReset } from './unix/reset.ts';
import { unixSocket } from './unix/socket.ts';

export type { PipeOptions };

/**
 * A Unix socket, or on Windows a named pipe. There is no port to choose, and other users cannot connect. Each user has one
 * host for each name or path. The endpoint of a host that crashed can be bound again.
 * @throws SingletonError `ERR_SINGLETON_INVALID_OPTION`
 */
export function pipe(options: PipeOptions): Transport {
  checkOptionNames(options, OPTION_NAMES);
  const resolved = resolvePath(options, thisSystem());
  return resolved.kind === 'named-pipe'
    ? namedPipe(resolved.path)
    : unixSocket(resolved, kernelMutex(process.platform));
}

const OPTION_NAMES: OptionNames<PipeOptions> = { name: true, path: true, directory: true };

/** A named pipe of Windows. The system frees it when its host ends. */
export function namedPipe(path: string): Transport {
  const naming: ServerNaming = {
    endpointOf: () => path,
    unavailableError: (cause) => endpointUnavailableError(path, cause, REASONS),
  };
  const target: Target = Object.freeze({ path, allowHalfOpen: true });
  const transport: SocketTransport = {
    endpoint: path,
    advice: 'Another program may be using the name.',
    [sockets]: { address: { path }, toConnection: withReset },
    listen: (onConnection, options) => listen({ path }, naming, (socket) => onConnection(withReset(socket)), options),
    connect: async (options) => detectReset(await connect(path, target, options)),
  };
  return transport;
}

const REASONS = { EACCES: 'the system does not allow this pipe name. Choose another name' };
