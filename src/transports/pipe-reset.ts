import type { Socket } from 'node:net';
import type { Connection } from '../interface/transport.ts';

/**
 * What a pipe has instead of a reset, which systems do not: all that a host ever says on a connection that it cuts off.
 * Without it a client that has sent everything could not tell that from an end, and would take its launch for delivered.
 */
const RESET = Buffer.from('\0reset\r\n');

/** Host: gives the socket a reset that works. */
export function withReset(socket: Socket): Connection {
  return Object.assign(socket, {
    resetAndDestroy() {
      // So few bytes are taken within the call.
      if (socket.writable && socket.bytesWritten === 0) socket.write(RESET);
      return socket.destroy();
    },
  });
}

/** Client: lets the socket fail when the host cuts it off. */
export function readingReset(socket: Socket | undefined): Socket | undefined {
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
