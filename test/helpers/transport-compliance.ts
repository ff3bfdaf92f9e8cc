import { EventEmitter } from 'node:events';
import { onTestFinished, test } from 'vitest';
import type { Connection, ListenOptions, Transport } from '../../src/interface/transport.ts';
import {
  changes,
  type Listening,
  never,
  options,
  readAll,
  unexpected,
} from '../../src/transports/compliance-context.ts';
import { guarantees, type TransportUnderTest } from '../../src/transports/compliance.ts';

/** The guarantees of every transport. */
export function testTransport(subject: TransportUnderTest): void {
  for (const { title, check } of guarantees(subject)) test(title, check);
}

export { changes, never, options, readAll, unexpected };

/** Listens until the test ends. */
export async function listen(transport: Transport, given: Partial<ListenOptions> = {}): Promise<Listening> {
  const accepted: Connection[] = [];
  const events = new EventEmitter<{ connection: [Connection] }>();
  const listener = await transport.listen(
    (connection) => {
      accepted.push(watched(connection));
      events.emit('connection', connection);
    },
    { ...options(), ...given },
  );
  if (!listener) throw new Error(`${transport.endpoint} is taken`);
  onTestFinished(() => listener.close());
  return {
    listener,
    accepted,
    nextAccepted: () => new Promise((resolve) => void events.once('connection', resolve)),
  };
}

/** Connects until the test ends. */
export async function open(transport: Transport, signal: AbortSignal = never()): Promise<Connection> {
  const connection = await transport.connect({ signal });
  if (!connection) throw new Error(`no host is at ${transport.endpoint}`);
  return watched(connection);
}

function watched(connection: Connection): Connection {
  connection.on('error', () => {});
  onTestFinished(() => void connection.destroy());
  return connection;
}
