import { EventEmitter, once } from 'node:events';
import type { Connection, Listener, ListenOptions, Transport } from '../interface/transport.ts';

/** Makes two transports to one endpoint that nobody has. */
export type Create = () => readonly [Transport, Transport] | Promise<readonly [Transport, Transport]>;

export interface Listening {
  readonly listener: Listener;
  readonly accepted: readonly Connection[];
  readonly nextAccepted: () => Promise<Connection>;
}

export interface Connected extends Listening {
  readonly transports: readonly [Transport, Transport];
  readonly host: Connection;
  readonly client: Connection;
}

/** What one guarantee is looked at on: all that is opened on it is closed at its end. */
export class TestContext {
  readonly create: Create;
  readonly #ends: (() => unknown)[] = [];

  constructor(create: Create) {
    this.create = create;
  }

  async end(): Promise<void> {
    for (const end of this.#ends.toReversed()) await end();
  }

  /** Takes an endpoint. */
  async listen(transport: Transport): Promise<Listening> {
    const accepted: Connection[] = [];
    const arrivals = new EventEmitter<{ connection: [Connection] }>();
    const listener = await transport.listen((connection) => {
      accepted.push(this.#watched(connection));
      arrivals.emit('connection', connection);
    }, options());
    if (!listener) throw new Error(`Expected ${transport.endpoint} to be free; it is taken.`);
    this.#ends.push(() => listener.close());
    return {
      listener,
      accepted,
      nextAccepted: () => new Promise((resolve) => void arrivals.once('connection', resolve)),
    };
  }

  async open(transport: Transport, signal: AbortSignal = never()): Promise<Connection> {
    const connection = await transport.connect({ signal });
    if (!connection) throw new Error(`Expected a host at ${transport.endpoint}; nobody is there.`);
    return this.#watched(connection);
  }

  /** A host and a client with one connection between them. */
  async connected(signal: AbortSignal = never()): Promise<Connected> {
    const transports = await this.create();
    const listening = await this.listen(transports[0]);
    const accepted = listening.nextAccepted();
    const client = await this.open(transports[1], signal);
    return { ...listening, transports, client, host: await accepted };
  }

  #watched(connection: Connection): Connection {
    connection.on('error', () => {});
    this.#ends.push(() => connection.destroy());
    return connection;
  }
}

export function never(): AbortSignal {
  return new AbortController().signal;
}

export function options(): ListenOptions {
  return { onWarning: unexpected, onLost: unexpected };
}

export function unexpected(cause?: unknown): never {
  throw new Error('Expected this not to be called.', { cause });
}

/** Reads a connection to its end, and leaves its other half open, which `node:stream/consumers` does not. */
export async function readAll(connection: Connection): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  connection.on('data', (chunk: Uint8Array) => chunks.push(chunk));
  await once(connection, 'end');
  return Buffer.concat(chunks);
}
