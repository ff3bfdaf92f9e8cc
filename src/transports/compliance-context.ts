import { equal } from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import type { Connection, Listener, ListenOptions, Transport } from '../interface/transport.ts';

/** Creates two transports to one endpoint that nothing else uses. */
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

/** What the check of one guarantee has opened. `cleanUp` closes all of it. */
export class TestContext {
  readonly create: Create;
  readonly #cleanups: (() => unknown)[] = [];

  constructor(create: Create) {
    this.create = create;
  }

  async cleanUp(): Promise<void> {
    for (const cleanup of this.#cleanups.toReversed()) await cleanup();
  }

  async listen(transport: Transport): Promise<Listening> {
    const accepted: Connection[] = [];
    const events = new EventEmitter<{ connection: [Connection] }>();
    const listener = await transport.listen((connection) => {
      accepted.push(this.#track(connection));
      events.emit('connection', connection);
    }, options());
    if (!listener) {
      throw new Error(
        `Could not bind ${transport.endpoint}: it is in use. Let create() choose an endpoint that is free.`,
      );
    }
    this.#cleanups.push(() => listener.close());
    return {
      listener,
      accepted,
      nextAccepted: () => new Promise((resolve) => void events.once('connection', resolve)),
    };
  }

  async open(transport: Transport, signal: AbortSignal = never()): Promise<Connection> {
    const connection = await transport.connect({ signal });
    if (!connection) {
      throw new Error(`Could not connect to ${transport.endpoint}: connect() found no host, but one is listening.`);
    }
    return this.#track(connection);
  }

  /** Opens one connection between a host and a client. */
  async connected(signal: AbortSignal = never()): Promise<Connected> {
    const transports = await this.create();
    const listening = await this.listen(transports[0]);
    const accepted = listening.nextAccepted();
    const client = await this.open(transports[1], signal);
    return { ...listening, transports, client, host: await accepted };
  }

  #track(connection: Connection): Connection {
    connection.on('error', () => {});
    this.#cleanups.push(() => connection.destroy());
    return connection;
  }
}

/** A signal that never aborts. */
export function never(): AbortSignal {
  return new AbortController().signal;
}

/** Options of `listen` with callbacks that must not be called. */
export function options(): ListenOptions {
  return { onWarning: unexpected, onLost: unexpected };
}

export function unexpected(cause?: unknown): never {
  throw new Error('A callback was called that the transport must not call here.', { cause });
}

/** Reads a connection to its end and keeps its writable side open, unlike `node:stream/consumers`. */
export async function readAll(connection: Connection): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  connection.on('data', (chunk: Uint8Array) => chunks.push(chunk));
  await once(connection, 'end');
  return Buffer.concat(chunks);
}

/** After each call: the number of resources that keep the process alive, minus their number before the first call. */
export function changes(listener: Listener, resource: string, calls: readonly ('ref' | 'unref')[]): readonly number[] {
  const count = (): number => process.getActiveResourcesInfo().filter((name) => name === resource).length;
  const before = count();
  return calls.map((call) => {
    listener[call]();
    return count() - before;
  });
}

/** A `listen()` that finds the endpoint in use may probe it. */
export function closeProbe(probe: Connection): void {
  probe.on('error', () => {}).destroy();
}

export async function halfOpen(first: Connection, second: Connection): Promise<void> {
  first.end('first');
  equal(String(await readAll(second)), 'first');
  second.end('second');
  equal(String(await readAll(first)), 'second');
}

export async function firstChunk(connection: Connection): Promise<string> {
  const [chunk]: unknown[] = await once(connection, 'data');
  return String(chunk);
}

/** Reads a connection until it closes. Resolves to how it closed. */
export async function outcomeOf(connection: Connection): Promise<'ended' | 'reset'> {
  const closed = new Promise((resolve) => connection.once('close', resolve));
  connection.once('end', () => connection.destroy()).resume();
  await closed;
  return connection.readableEnded ? 'ended' : 'reset';
}
