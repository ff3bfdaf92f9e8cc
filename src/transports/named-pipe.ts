import { connect, listen, placeUnavailable, type Naming } from './net.ts';
import { hearingReset, withReset } from './pipe-reset.ts';
import type { Transport } from './transport.ts';

/** A named pipe of Windows: the system frees the place when its host is gone. */
export function namedPipe(path: string): Transport {
  const naming: Naming = { placeOf: () => path, unavailable: (cause) => placeUnavailable(path, cause, REASONS) };
  return {
    place: path,
    listen: (onConnection, options) => listen({ path }, naming, (socket) => onConnection(withReset(socket)), options),
    connect: async (options) => hearingReset(await connect({ path }, options)),
  };
}

const REASONS = { EACCES: 'the system does not allow this name. Choose another' };
