import type { Socket } from 'node:net';
import type { Connection } from '../interface/transport.ts';

/**
 * Replaces the reset that systems do not have for pipes: the host sends these bytes, and nothing else, on a connection that
 * it resets. Without them, a legacy client that has sent everything would take the end for success and count its launch as
 * delivered.
 */
const RESET = Buffer.from('\0reset\r\n');

/** Host: makes `resetAndDestroy()` send the reset. */
export function withReset(socket: Socket): Connection {
  return Object.assign(socket, {
    resetAndDestroy() {
      // The system accepts 8 bytes within the call, so destroy() does not discard them.
      if (socket.writable && socket.bytesWritten === 0) socket.write(RESET);
      return socket.destroy();
    },
  });
}

/** Client: destroys the socket with ECONNRESET when the host sends the reset. */
export function detectReset(socket: Socket | undefined): Socket | undefined {
  if (!socket) return undefined;
  const push = socket.push.bind(socket);
  socket.push = (chunk: unknown, encoding) => {
    const isReset = socket.bytesRead === RESET.length && chunk instanceof Uint8Array && RESET.equals(chunk);
    if (!isReset) return push(chunk, encoding);
    socket.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }));
    return false;
  };
  return socket;
}
