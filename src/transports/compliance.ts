import { deepEqual, equal, rejects } from 'node:assert/strict';
import { once } from 'node:events';
import { resetConnection, type Connection, type Listener } from '../interface/transport.ts';
import { type Create, never, options, readAll, TestContext, unexpected } from './compliance-context.ts';

export type { Create };

/** What the suite looks at. */
export interface TransportUnderTest {
  /** Makes two transports to one endpoint that nobody has: anew for each guarantee. */
  readonly create: Create;
  /** What it can do beyond what every transport must. */
  readonly abilities: TransportAbilities;
}

/** What a transport can do beyond what every one must. */
export interface TransportAbilities {
  /** The other side can tell a connection that was cut off from one that ended. */
  readonly reset: boolean;
  /**
   * What `process.getActiveResourcesInfo()` calls a listener and a connection that keep the process alive. `undefined`
   * where nothing does.
   */
  readonly resources?: { readonly listener: string; readonly connection: string } | undefined;
}

/** One thing that has to hold. */
export interface Guarantee {
  /** A sentence. */
  readonly title: string;
  /** Rejects where it does not hold. */
  readonly check: () => Promise<void>;
}

/** What every transport has to keep to. For any runner: `for (const { title, check } of guarantees(…)) test(title, check)`. */
export function guarantees({ create, abilities }: TransportUnderTest): readonly Guarantee[] {
  const { reset, resources } = abilities;
  const checks: Record<string, (stage: TestContext) => Promise<void>> = {
    ...OF_ENDPOINTS,
    ...OF_CONNECTIONS,
    [`a connection that is cut off ${reset ? 'was reset' : 'ended'} for the other side`]: async (stage) => {
      const { host, client } = await stage.connected();
      const outcome = over(client);
      resetConnection(host);
      equal(await outcome, reset ? 'reset' : 'ended');
      equal(host.destroyed, true);
    },
    ...(resources && keepingAlive(resources)),
  };
  return Object.entries(checks).map(([title, check]) => ({
    title,
    check: async () => {
      const stage = new TestContext(create);
      try {
        await check(stage);
      } finally {
        await stage.end();
      }
    },
  }));
}

const OF_ENDPOINTS: Record<string, (stage: TestContext) => Promise<void>> = {
  async 'a listener is at the endpoint of its transport'(stage) {
    const [host] = await stage.create();
    const { listener } = await stage.listen(host);
    equal(listener.endpoint, host.endpoint);
  },
  async 'both transports name one endpoint'(stage) {
    const [host, client] = await stage.create();
    equal(client.endpoint, host.endpoint);
  },
  async 'an endpoint that is taken cannot be taken again'(stage) {
    const [host, client] = await stage.create();
    await stage.listen(host);
    equal(await client.listen(unexpected, options()), undefined);
    equal(await client.listen(unexpected, { ...options(), skipProbe: true }), undefined);
    equal(await host.listen(unexpected, options()), undefined);
  },
  async 'of many that listen at once one gets the endpoint'(stage) {
    const transports = await stage.create();
    const listeners = await Promise.all(
      Array.from({ length: 10 }, (_, index) => (transports[index % 2] ?? transports[0]).listen(leave, options())),
    );
    const got = listeners.filter((listener) => listener !== undefined);
    for (const listener of got) await listener.close();
    equal(got.length, 1);
  },
  async 'nobody is there before anybody listens, nor after'(stage) {
    const [host, client] = await stage.create();
    equal(await client.connect({ signal: never() }), undefined);
    const { listener } = await stage.listen(host);
    await listener.close();
    equal(await client.connect({ signal: never() }), undefined);
  },
  async 'close() frees the endpoint at once, and open connections go on'(stage) {
    const { host, client, listener, transports } = await stage.connected();
    await listener.close();
    await stage.listen(transports[1]);
    client.end('still');
    equal(String(await readAll(host)), 'still');
    host.end('here');
    equal(String(await readAll(client)), 'here');
  },
  async 'close() twice leaves the endpoint to the next one'(stage) {
    const [host, next] = await stage.create();
    const { listener } = await stage.listen(host);
    await listener.close();
    await stage.listen(next);
    await listener.close();
    equal(await host.listen(unexpected, options()), undefined);
  },
  async 'a signal that has aborted rejects the connect with its reason, and nobody is connected to'(stage) {
    const [host, client] = await stage.create();
    const { accepted } = await stage.listen(host);
    const reason = new Error('too late');
    await rejects(client.connect({ signal: AbortSignal.abort(reason) }), reason);
    equal(accepted.length, 0);
  },
  async 'a signal that aborts during the connect rejects it with its reason'(stage) {
    const [host, client] = await stage.create();
    await stage.listen(host);
    const controller = new AbortController();
    const connection = client.connect({ signal: controller.signal });
    const reason = new Error('no more');
    controller.abort(reason);
    await rejects(connection, reason);
  },
  async 'a signal that aborts after the connect leaves the connection alone'(stage) {
    const controller = new AbortController();
    const { host, client } = await stage.connected(controller.signal);
    controller.abort();
    client.end('still here');
    equal(String(await readAll(host)), 'still here');
  },
};

const OF_CONNECTIONS: Record<string, (stage: TestContext) => Promise<void>> = {
  async 'bytes go both ways'(stage) {
    const { host, client } = await stage.connected();
    client.write('to the host');
    equal(await firstChunk(host), 'to the host');
    host.write('to the client');
    equal(await firstChunk(client), 'to the client');
  },
  async 'a megabyte arrives as it was sent'(stage) {
    const { host, client } = await stage.connected();
    const bytes = Buffer.from(Uint8Array.from({ length: 1_048_576 }, (_, index) => index % 251));
    client.end(bytes);
    equal(bytes.equals(await readAll(host)), true);
  },
  async 'who sends more than the other side reads is held back'(stage) {
    const { host, client } = await stage.connected();
    let isTaken = false;
    client.write(Buffer.alloc(MORE_THAN_A_SYSTEM_KEEPS), () => (isTaken = true));
    // What comes later arrives later: when the answer is here, all that could be taken was.
    host.write('an answer');
    await firstChunk(client);
    equal(isTaken, false);
    client.end();
    equal((await readAll(host)).length, MORE_THAN_A_SYSTEM_KEEPS);
  },
  async 'the other side can still send after the host ended'(stage) {
    const { host, client } = await stage.connected();
    await halfOpen(host, client);
  },
  async 'the other side can still send after the client ended'(stage) {
    const { host, client } = await stage.connected();
    await halfOpen(client, host);
  },
  async 'a connection is closed once both sides have ended'(stage) {
    const { host, client } = await stage.connected();
    const closed = Promise.all([once(host, 'close'), once(client, 'close')]);
    for (const side of [host, client]) side.resume().end();
    await closed;
    deepEqual([host.destroyed, client.destroyed], [true, true]);
  },
  async 'a connection can be cut off while its end is on the way'(stage) {
    const { host, client } = await stage.connected();
    const closed = Promise.all([once(host, 'close'), over(client)]);
    host.end();
    resetConnection(host);
    await closed;
    equal(host.errored, null);
  },
};

function keepingAlive({
  listener: ofListener,
  connection: ofConnection,
}: NonNullable<TransportAbilities['resources']>): Record<string, (stage: TestContext) => Promise<void>> {
  /** The listener, and the host's end of a connection; the client's end stays as it is. */
  const both = ofListener === ofConnection ? -2 : -1;
  return {
    async 'a listener keeps the process alive, but not after unref()'(stage) {
      const [host] = await stage.create();
      const { listener } = await stage.listen(host);
      deepEqual(changes(listener, ofListener, ['unref', 'ref', 'unref']), [-1, 0, -1]);
    },
    async 'the connections of a listener keep the process alive as the listener does'(stage) {
      const { listener } = await stage.connected();
      deepEqual(changes(listener, ofConnection, ['unref', 'ref', 'unref']), [both, 0, both]);
    },
    async 'a connection that comes after unref() does not keep the process alive'(stage) {
      const [host, client] = await stage.create();
      const { listener, nextAccepted } = await stage.listen(host);
      listener.unref();
      const accepted = nextAccepted();
      await Promise.all([accepted, stage.open(client)]);
      deepEqual(changes(listener, ofConnection, ['unref', 'ref']), [0, -both]);
    },
  };
}

const MORE_THAN_A_SYSTEM_KEEPS = 32 * 1_048_576;

/** Who listens where the endpoint is taken may have to connect, to see whether somebody is there. */
function leave(knock: Connection): void {
  knock.on('error', () => {}).destroy();
}

async function halfOpen(early: Connection, late: Connection): Promise<void> {
  early.end('over');
  equal(String(await readAll(late)), 'over');
  late.end('over too');
  equal(String(await readAll(early)), 'over too');
}

async function firstChunk(connection: Connection): Promise<string> {
  const [chunk]: unknown[] = await once(connection, 'data');
  return String(chunk);
}

/** Reads a connection until it is over, and tells how. */
async function over(connection: Connection): Promise<'ended' | 'reset'> {
  const closed = new Promise((resolve) => connection.once('close', resolve));
  connection.once('end', () => connection.destroy()).resume();
  await closed;
  return connection.readableEnded ? 'ended' : 'reset';
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
