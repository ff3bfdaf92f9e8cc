import type { Socket } from 'node:net';
import { isUint8Array } from '../../interface/bytes.ts';
import type { Connection } from '../../interface/transport.ts';

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

/** Client: destroys the socket with ECONNRESET if its first eight bytes, in any number of chunks, are the reset. */
export function detectReset(socket: Socket | undefined): Socket | undefined {
  if (!socket) return undefined;
  const push = socket.push.bind(socket);
  let received = Buffer.alloc(0);
  socket.push = (chunk: unknown, encoding) => {
    const isEnd = chunk === null;
    if (isUint8Array(chunk)) received = Buffer.concat([received, chunk]);
    if (RESET.equals(received.subarray(0, RESET.length))) {
      socket.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }));
      return false;
    }
    const isBeginning = RESET.subarray(0, received.length).equals(received);
    if (isBeginning && !isEnd) return true;
    socket.push = push;
    const hasRoom = push(received, encoding);
    return isEnd ? push(null) : hasRoom;
  };
  return socket;
}
