import type { Connection } from './transport.ts';

/** Cuts a connection off. The other side sees a reset where the transport has one, unless this side has ended. */
export function abort(connection: Connection): void {
  try {
    if (!isShuttingDown(connection)) connection.resetAndDestroy?.();
  } catch {
    // A pipe of Node's has the method, and throws.
  }
  connection.destroy();
}

/** libuv refuses a reset while a shutdown is under way (EINVAL), and the descriptor would leak. */
function isShuttingDown({ writableEnded, writableFinished, writableLength }: Connection): boolean {
  return writableEnded && !writableFinished && writableLength === 0;
}
