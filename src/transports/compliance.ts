import { deepEqual, equal, rejects } from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { resetConnection } from '../interface/transport.ts';
import {
  closeProbe,
  type Create,
  firstChunk,
  halfOpen,
  never,
  options,
  outcomeOf,
  readAll,
  TestContext,
  unexpected,
} from './compliance-context.ts';
import { keepAliveGuarantees } from './compliance-keep-alive.ts';

export type { Create };

/** The transport that the suite checks. */
export interface TransportUnderTest {
  /** Creates two transports to one endpoint that nothing else uses. Called once for each guarantee. */
  readonly create: Create;
  /** The optional capabilities that it has. */
  readonly capabilities: TransportCapabilities;
}

/** Capabilities that a transport may have or not. */
export interface TransportCapabilities {
  /** Whether the other side can tell a reset connection from one that ended. */
  readonly reset: boolean;
  /**
   * The names by which `process.getActiveResourcesInfo()` lists a listener and a connection. Leave it out if neither keeps
   * the process alive.
   */
  readonly resources?: { readonly listener: string; readonly connection: string } | undefined;
  /** Whether it has `watch`. */
  readonly watch?: boolean | undefined;
  /** Whether its listeners have `isHeld` and `token`. */
  readonly lease?: boolean | undefined;
}

/** One rule that a transport must keep. */
export interface Guarantee {
  /** One sentence, for the title of a test. */
  readonly title: string;
  /** Rejects if the transport does not keep the rule. */
  readonly check: () => Promise<void>;
}

/**
 * Returns the rules that every transport must keep. It works with any test runner:
 * `for (const { title, check } of guarantees(…)) test(title, check)`.
 */
export function guarantees({ create, capabilities }: TransportUnderTest): readonly Guarantee[] {
  const { reset, resources, watch, lease } = capabilities;
  const checks: Record<string, (context: TestContext) => Promise<void>> = {
    ...ENDPOINT_GUARANTEES,
    ...CONNECTION_GUARANTEES,
    [`${reset ? 'reports a reset to' : 'ends the connection for'} the peer when a connection is reset`]: async (
      context,
    ) => {
      const { host, client } = await context.connected();
      const outcome = outcomeOf(client);
      resetConnection(host);
      equal(await outcome, reset ? 'reset' : 'ended');
      equal(host.destroyed, true);
    },
    ...(resources && keepAliveGuarantees(resources)),
    ...(watch && WATCH_GUARANTEES),
    ...(lease && LEASE_GUARANTEES),
  };
  return Object.entries(checks).map(([title, check]) => ({
    title,
    check: async () => {
      const context = new TestContext(create);
      try {
        await check(context);
      } finally {
        await context.cleanUp();
      }
    },
  }));
}

const ENDPOINT_GUARANTEES: Record<string, (context: TestContext) => Promise<void>> = {
  async 'names the endpoint of the transport on its listener'(context) {
    const [host] = await context.create();
    const { listener } = await context.listen(host);
    equal(listener.endpoint, host.endpoint);
  },
  async 'names the same endpoint on both transports'(context) {
    const [host, client] = await context.create();
    equal(client.endpoint, host.endpoint);
  },
  async 'resolves listen() to undefined when the endpoint is in use'(context) {
    const [host, client] = await context.create();
    await context.listen(host);
    equal(await client.listen(unexpected, options()), undefined);
    equal(await client.listen(unexpected, { ...options(), skipProbe: true }), undefined);
    equal(await host.listen(unexpected, options()), undefined);
  },
  async 'binds the endpoint for exactly one of many simultaneous listen() calls'(context) {
    const transports = await context.create();
    const results = await Promise.all(
      Array.from({ length: 10 }, (_, index) => (transports[index % 2] ?? transports[0]).listen(closeProbe, options())),
    );
    const listeners = results.filter((listener) => listener !== undefined);
    for (const listener of listeners) await listener.close();
    equal(listeners.length, 1);
  },
  async 'resolves connect() to undefined before listen() and after close()'(context) {
    const [host, client] = await context.create();
    equal(await client.connect({ signal: never() }), undefined);
    const { listener } = await context.listen(host);
    await listener.close();
    equal(await client.connect({ signal: never() }), undefined);
  },
  async 'frees the endpoint on close() at once and keeps open connections'(context) {
    const { host, client, listener, transports } = await context.connected();
    await listener.close();
    await context.listen(transports[1]);
    client.end('still');
    equal(String(await readAll(host)), 'still');
    host.end('here');
    equal(String(await readAll(client)), 'here');
  },
  async 'does not close the next listener when close() is called twice'(context) {
    const [host, next] = await context.create();
    const { listener } = await context.listen(host);
    await listener.close();
    await context.listen(next);
    await listener.close();
    equal(await host.listen(unexpected, options()), undefined);
  },
  async 'rejects connect() with the reason of an aborted signal and does not connect'(context) {
    const [host, client] = await context.create();
    const { accepted } = await context.listen(host);
    const reason = new Error('too late');
    await rejects(client.connect({ signal: AbortSignal.abort(reason) }), reason);
    equal(accepted.length, 0);
  },
  async 'rejects connect() with the reason when the signal aborts during it'(context) {
    const [host, client] = await context.create();
    await context.listen(host);
    const controller = new AbortController();
    const connection = client.connect({ signal: controller.signal });
    const reason = new Error('no more');
    controller.abort(reason);
    await rejects(connection, reason);
  },
  async 'keeps the connection when the signal aborts after connect()'(context) {
    const controller = new AbortController();
    const { host, client } = await context.connected(controller.signal);
    controller.abort();
    client.end('still here');
    equal(String(await readAll(host)), 'still here');
  },
};

const CONNECTION_GUARANTEES: Record<string, (context: TestContext) => Promise<void>> = {
  async 'carries bytes in both directions'(context) {
    const { host, client } = await context.connected();
    client.write('to the host');
    equal(await firstChunk(host), 'to the host');
    host.write('to the client');
    equal(await firstChunk(client), 'to the client');
  },
  async 'delivers a megabyte unchanged'(context) {
    const { host, client } = await context.connected();
    const bytes = Buffer.from(Uint8Array.from({ length: 1_048_576 }, (_, index) => index % 251));
    client.end(bytes);
    equal(bytes.equals(await readAll(host)), true);
  },
  async 'applies backpressure when the peer does not read'(context) {
    const { host, client } = await context.connected();
    let isWritten = false;
    client.write(Buffer.alloc(MORE_THAN_SYSTEM_BUFFERS), () => (isWritten = true));
    // When the answer arrives, the system has accepted all the bytes that fit into its buffers.
    host.write('an answer');
    await firstChunk(client);
    equal(isWritten, false);
    client.end();
    equal((await readAll(host)).length, MORE_THAN_SYSTEM_BUFFERS);
  },
  async 'lets the client send after the host has ended'(context) {
    const { host, client } = await context.connected();
    await halfOpen(host, client);
  },
  async 'lets the host send after the client has ended'(context) {
    const { host, client } = await context.connected();
    await halfOpen(client, host);
  },
  async 'closes the connection when both sides have ended'(context) {
    const { host, client } = await context.connected();
    const closed = Promise.all([once(host, 'close'), once(client, 'close')]);
    for (const side of [host, client]) side.resume().end();
    await closed;
    deepEqual([host.destroyed, client.destroyed], [true, true]);
  },
  async 'closes a connection that is reset while its end is being sent'(context) {
    const { host, client } = await context.connected();
    const closed = Promise.all([once(host, 'close'), outcomeOf(client)]);
    host.end();
    resetConnection(host);
    await closed;
    equal(host.errored, null);
  },
};

const WATCH_GUARANTEES: Record<string, (context: TestContext) => Promise<void>> = {
  async 'calls back watch() when the endpoint is free, and not after close()'(context) {
    const [host, next] = await context.create();
    const { listener } = await context.listen(host);
    const events = new EventEmitter<{ change: [] }>();
    let count = 0;
    const watcher = next.watch?.(() => {
      count += 1;
      events.emit('change');
    });
    const changed = once(events, 'change');
    await listener.close();
    await changed;
    watcher?.close();
    const before = count;
    const second = await context.listen(next);
    await second.listener.close();
    await context.listen(host);
    equal(count, before);
  },
};

const LEASE_GUARANTEES: Record<string, (context: TestContext) => Promise<void>> = {
  async 'has a listener that is held, and a connection with the token of its host'(context) {
    const { client, listener } = await context.connected();
    equal(listener.isHeld?.(), true);
    equal(Number.isSafeInteger(listener.token), true);
    equal(client.token, listener.token);
  },
  async 'gives the next host a larger token'(context) {
    const [host, next] = await context.create();
    const { listener } = await context.listen(host);
    await listener.close();
    const second = await context.listen(next);
    equal(Number(second.listener.token) > Number(listener.token), true);
  },
};

const MORE_THAN_SYSTEM_BUFFERS = 32 * 1_048_576;
