import { EventEmitter, once } from 'node:events';
import { createConnection, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { portOf } from './program.ts';

/** A relay between a client and a host. It records all bytes, and can hold some back. */
export interface Relay {
  readonly port: number;
  /** The bytes that the client and the host have sent so far. */
  seen(): Buffer;
  /** Resolves when bytes are held back. */
  readonly paused: Promise<unknown>;
  /** Sends the bytes that it held back, and then an end; resolves when the system has accepted both. */
  resume(): Promise<void>;
  /** Resolves when the client has ended or reset its connection. */
  readonly clientClosed: Promise<unknown>;
}

/** `holdAfter`: the number of bytes of the client that it forwards before it holds the others back. */
export async function startRelay(hostPort: number, holdAfter = Infinity): Promise<Relay> {
  const seen: Buffer[] = [];
  const held: Buffer[] = [];
  const sockets: Socket[] = [];
  let isHolding = true;
  let forwarded = 0;
  let upstream: Socket | undefined;
  const events = new EventEmitter();
  const paused = once(events, 'holding');
  const clientClosed = once(events, 'closed');

  const server = createServer({ allowHalfOpen: true }, (client) => {
    const host = createConnection({ port: hostPort, host: '127.0.0.1', allowHalfOpen: true });
    upstream = host;
    sockets.push(
      client.on('error', () => {}),
      host.on('error', () => {}),
    );
    client.on('data', (chunk) => {
      seen.push(chunk);
      const count = isHolding ? Math.max(0, holdAfter - forwarded) : chunk.length;
      forwarded += Math.min(count, chunk.length);
      host.write(chunk.subarray(0, count));
      if (count >= chunk.length) return;
      held.push(chunk.subarray(count));
      events.emit('holding');
    });
    host.on('data', (chunk) => {
      seen.push(chunk);
      client.write(chunk);
    });
    client.once('end', () => {
      events.emit('closed');
      if (held.length === 0) host.end();
    });
    client.once('close', () => events.emit('closed'));
    host.once('end', () => client.end());
  });
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  server.listen({ port: 0, host: '127.0.0.1', exclusive: true });
  await once(server, 'listening');

  return {
    port: portOf(server),
    seen: () => Buffer.concat(seen),
    paused,
    clientClosed,
    resume() {
      isHolding = false;
      for (const chunk of held.splice(0)) upstream?.write(chunk);
      return new Promise((resolve) => upstream?.end(resolve));
    },
  };
}
