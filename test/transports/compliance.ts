import { EventEmitter, once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import {
  abort,
  type Connection,
  type Listener,
  type ListenOptions,
  type Transport,
} from '../../src/transports/transport.ts';

export interface TransportUnderTest {
  /** Two transports to one place that nobody has. */
  readonly create: () => Promise<readonly [Transport, Transport]>;
  readonly abilities: TransportAbilities;
}

export interface TransportAbilities {
  /** The other side can tell a connection that was cut off from one that ended. */
  readonly reset: boolean;
  /** What `process.getActiveResourcesInfo()` calls a listener and a connection that keep the process alive. */
  readonly resources: { readonly listener: string; readonly connection: string };
}

/** What every transport has to keep to. */
export function testTransport({ create, abilities }: TransportUnderTest): void {
  const { reset, resources } = abilities;

  test('a listener is at the place of its transport', async () => {
    const [host] = await create();
    const { listener } = await listen(host);
    expect(listener.place).toBe(host.place);
  });

  test('both transports name one place', async () => {
    const [host, client] = await create();
    expect(client.place).toBe(host.place);
  });

  test('a place that is taken cannot be taken again', async () => {
    const [host, client] = await create();
    await listen(host);
    expect(await client.listen(unexpected, options())).toBeUndefined();
    expect(await host.listen(unexpected, options())).toBeUndefined();
  });

  test('of many that listen at once one gets the place', async () => {
    const transports = await create();
    const listeners = await Promise.all(
      Array.from({ length: 10 }, (_, index) => (transports[index % 2] ?? transports[0]).listen(unexpected, options())),
    );
    const got = listeners.filter((listener) => listener !== undefined);
    for (const listener of got) await listener.close();
    expect(got).toHaveLength(1);
  });

  test('nobody is there before anybody listens, nor after', async () => {
    const [host, client] = await create();
    expect(await client.connect({ signal: never() })).toBeUndefined();
    const { listener } = await listen(host);
    await listener.close();
    expect(await client.connect({ signal: never() })).toBeUndefined();
  });

  test('bytes go both ways', async () => {
    const { host, client } = await connected();
    client.write('to the host');
    expect(String(await firstChunk(host))).toBe('to the host');
    host.write('to the client');
    expect(String(await firstChunk(client))).toBe('to the client');
  });

  test('a megabyte arrives as it was sent', async () => {
    const { host, client } = await connected();
    const bytes = Buffer.from(Uint8Array.from({ length: 1_048_576 }, (_, index) => index % 251));
    client.end(bytes);
    expect(bytes.equals(await readAll(host))).toBe(true);
  });

  test.each(['host', 'client'] as const)('the other side can still send after the %s ended', async (first) => {
    const sides = await connected();
    const [early, late] = first === 'host' ? [sides.host, sides.client] : [sides.client, sides.host];
    early.end('over');
    expect(String(await readAll(late))).toBe('over');
    late.end('over too');
    expect(String(await readAll(early))).toBe('over too');
  });

  test('a connection is closed once both sides have ended', async () => {
    const { host, client } = await connected();
    const closed = Promise.all([once(host, 'close'), once(client, 'close')]);
    for (const side of [host, client]) side.resume().end();
    await closed;
    expect([host.destroyed, client.destroyed]).toStrictEqual([true, true]);
  });

  test('close() frees the place at once, and open connections go on', async () => {
    const { host, client, listener, transports } = await connected();
    await listener.close();
    await listen(transports[1]);
    client.end('still');
    expect(String(await readAll(host))).toBe('still');
    host.end('here');
    expect(String(await readAll(client))).toBe('here');
  });

  test('close() twice leaves the place to the next one', async () => {
    const [host, next] = await create();
    const { listener } = await listen(host);
    await listener.close();
    await listen(next);
    await listener.close();
    expect(await host.listen(unexpected, options())).toBeUndefined();
  });

  test('a signal that has aborted rejects the connect with its reason, and nobody is connected to', async () => {
    const [host, client] = await create();
    const { accepted } = await listen(host);
    const reason = new Error('too late');
    await expect(client.connect({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(accepted).toHaveLength(0);
  });

  test('a signal that aborts during the connect rejects it with its reason', async () => {
    const [host, client] = await create();
    await listen(host);
    const controller = new AbortController();
    const connection = client.connect({ signal: controller.signal });
    const reason = new Error('no more');
    controller.abort(reason);
    await expect(connection).rejects.toBe(reason);
  });

  test('a signal that aborts after the connect leaves the connection alone', async () => {
    const controller = new AbortController();
    const { host, client } = await connected(controller.signal);
    controller.abort();
    client.end('still here');
    expect(String(await readAll(host))).toBe('still here');
  });

  test(`a connection that is cut off ${reset ? 'was reset' : 'ended'} for the other side`, async () => {
    const { host, client } = await connected();
    const outcome = over(client);
    abort(host);
    expect(await outcome).toBe(reset ? 'reset' : 'ended');
    expect(host.destroyed).toBe(true);
  });

  test('a connection can be cut off while its end is on the way', async () => {
    const { host, client } = await connected();
    const closed = Promise.all([once(host, 'close'), over(client)]);
    host.end();
    abort(host);
    await closed;
    expect(host.errored).toBeNull();
  });

  test('a listener keeps the process alive, but not after unref()', async () => {
    const [host] = await create();
    const { listener } = await listen(host);
    expect(changes(listener, resources.listener, ['unref', 'ref', 'unref'])).toStrictEqual([-1, 0, -1]);
  });

  test('the connections of a listener keep the process alive as the listener does', async () => {
    const { listener } = await connected();
    expect(changes(listener, resources.connection, ['unref', 'ref', 'unref'])).toStrictEqual([-1, 0, -1]);
  });

  test('a connection that comes after unref() does not keep the process alive', async () => {
    const [host, client] = await create();
    const { listener, nextAccepted } = await listen(host);
    listener.unref();
    const accepted = nextAccepted();
    await Promise.all([accepted, open(client)]);
    expect(changes(listener, resources.connection, ['unref', 'ref'])).toStrictEqual([0, 1]);
  });

  /** A host and a client with one connection between them. */
  async function connected(signal: AbortSignal = never(), given: Partial<ListenOptions> = {}): Promise<Connected> {
    const transports = await create();
    const listening = await listen(transports[0], given);
    const accepted = listening.nextAccepted();
    const client = await open(transports[1], signal);
    return { ...listening, transports, client, host: await accepted };
  }
}

interface Listening {
  readonly listener: Listener;
  readonly accepted: readonly Connection[];
  readonly nextAccepted: () => Promise<Connection>;
}

interface Connected extends Listening {
  readonly transports: readonly [Transport, Transport];
  readonly host: Connection;
  readonly client: Connection;
}

/** Takes a place until the test is over. */
export async function listen(transport: Transport, given: Partial<ListenOptions> = {}): Promise<Listening> {
  const accepted: Connection[] = [];
  const arrivals = new EventEmitter<{ connection: [Connection] }>();
  const listener = await transport.listen(
    (connection) => {
      accepted.push(watched(connection));
      arrivals.emit('connection', connection);
    },
    { ...options(), ...given },
  );
  if (!listener) throw new Error(`${transport.place} is taken`);
  onTestFinished(() => listener.close());
  return {
    listener,
    accepted,
    nextAccepted: () => new Promise((resolve) => void arrivals.once('connection', resolve)),
  };
}

/** Connects until the test is over. */
export async function open(transport: Transport, signal: AbortSignal = never()): Promise<Connection> {
  const connection = await transport.connect({ signal });
  if (!connection) throw new Error(`nobody is at ${transport.place}`);
  return watched(connection);
}

function watched(connection: Connection): Connection {
  connection.on('error', () => {});
  onTestFinished(() => void connection.destroy());
  return connection;
}

/** Reads a connection until it is over, and tells how. */
async function over(connection: Connection): Promise<'ended' | 'reset'> {
  connection.on('error', () => {});
  const closed = new Promise((resolve) => connection.once('close', resolve));
  connection.once('end', () => connection.destroy()).resume();
  await closed;
  return connection.readableEnded ? 'ended' : 'reset';
}

/** Reads a connection to its end, and leaves its other half open, which `node:stream/consumers` does not. */
export async function readAll(connection: Connection): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  connection.on('data', (chunk: Uint8Array) => chunks.push(chunk));
  await once(connection, 'end');
  return Buffer.concat(chunks);
}

async function firstChunk(connection: Connection): Promise<unknown> {
  const [chunk]: unknown[] = await once(connection, 'data');
  return chunk;
}

export function never(): AbortSignal {
  return new AbortController().signal;
}

export function options(): ListenOptions {
  return { onWarning: unexpected, onLost: unexpected };
}

export function unexpected(what?: unknown): never {
  throw new Error('Did not expect this.', { cause: what });
}

/** By how much each call changes what keeps the process alive, against the time before the first. */
function changes(listener: Listener, resource: string, calls: readonly ('ref' | 'unref')[]): readonly number[] {
  const count = (): number => process.getActiveResourcesInfo().filter((name) => name === resource).length;
  const before = count();
  return calls.map((call) => {
    listener[call]();
    return count() - before;
  });
}
