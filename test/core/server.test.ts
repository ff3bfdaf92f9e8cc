import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { LazyAbortController } from '../../src/core/deadline.ts';
import { type ServedConnections, Server } from '../../src/core/server.ts';
import type { Connection } from '../../src/index.ts';
import { SingletonError } from '../../src/interface/errors.ts';
import { type ScriptedConnection, ScriptedTransport } from '../helpers/scripted-transport.ts';

const never = new LazyAbortController();

/** A host that writes down what it gets. */
class Recorder implements ServedConnections {
  readonly calls: (Connection | string)[] = [];

  accept(connection: Connection): void {
    this.calls.push(connection);
  }

  onDropped(count: number): void {
    this.calls.push(`dropped ${count}`);
  }

  cut(): void {
    this.calls.push('cut');
  }

  async drain(): Promise<void> {
    this.calls.push('drain');
  }
}

function create({ transport = new ScriptedTransport(), maxConnections = 8 } = {}) {
  const host = new Recorder();
  const events: string[] = [];
  const server = new Server(
    { transport, maxConnections, client: true, strict: true, standby: 0 },
    ({ code }) => events.push(code),
    () => events.push('lost'),
  );
  return { server, host, transport, events };
}

/** A server that listens, whose host is not loaded. */
async function startListening(options: { readonly maxConnections?: number } = {}) {
  const created = create(options);
  await created.server.listen(never);
  return created;
}

/** A server that listens, with its host. */
async function serving() {
  const created = await startListening();
  created.server.attach(created.host);
  created.server.serve();
  return created;
}

describe('Server.listen', () => {
  it('binds a free endpoint and has the name of its listener', async () => {
    const { server, events } = create();
    expect(await server.listen(never)).toBe(true);
    expect(server).toMatchObject({ isListening: false, endpoint: 'scripted://endpoint/bound' });
    expect(events).toEqual([]);
  });

  it('resolves to false if the endpoint is in use', async () => {
    const { server } = create({ transport: new ScriptedTransport({ listen: ['taken'] }) });
    expect(await server.listen(never)).toBe(false);
    expect(server).toMatchObject({ isListening: false, endpoint: 'scripted://endpoint' });
  });

  it('releases an endpoint that was bound after its attempt had ended, and resets its clients, also in the next attempt', async () => {
    const { server, host, transport } = create();
    const accepts: ((connection: Connection) => void)[] = [];
    const listen = transport.listen.bind(transport);
    transport.listen = (accept, options) => {
      accepts.push(accept);
      return listen(accept, options);
    };
    const attempt = new LazyAbortController();
    const listening = server.listen(attempt);
    attempt.abort(new SingletonError('ERR_SINGLETON_RELEASED', 'released'));
    await expect(listening).rejects.toThrow('released');
    const other = new ScriptedTransport();
    await other.listen(accepts[0] ?? expect.fail(), { onWarning: () => {}, onLost: () => {} });
    expect(other.connectClient().wasReset).toBe(true);
    await turn();
    expect(transport.steps).toEqual(['listen', 'close']);
    expect(await server.listen(never)).toBe(true);
    expect(other.connectClient().wasReset).toBe(true);
    server.attach(host);
    server.serve();
    expect(other.connectClient().wasReset).toBe(true);
    expect(transport.connectClient().wasReset).toBe(false);
  });
});

describe('Server.serve', () => {
  it('reports the warnings of the listener, and that the endpoint is lost', async () => {
    const { transport, server, host, events } = await startListening();
    const { onWarning, onLost } = transport.listening?.options ?? expect.fail();
    onWarning(new SingletonError('ERR_SINGLETON_BUSY', 'Too many.'));
    server.attach(host);
    server.serve();
    onWarning(new SingletonError('ERR_SINGLETON_CONNECTION_FAILED', 'Broken.'));
    onLost();
    expect(events).toEqual(['ERR_SINGLETON_BUSY', 'ERR_SINGLETON_CONNECTION_FAILED', 'lost']);
  });

  it('passes on the connections of the backlog in their order, then those that arrive', async () => {
    const { server, host, transport } = await startListening();
    const backlog = [transport.connectClient(), transport.connectClient()];
    expect([server.isListening, host.calls]).toEqual([false, []]);
    server.attach(host);
    server.serve();
    expect(server.isListening).toBe(true);
    const late = transport.connectClient();
    expect(host.calls).toEqual([...backlog, late]);
  });

  it('passes on a connection of the backlog that has failed', async () => {
    const { server, host, transport } = await startListening();
    const broken = transport.connectClient().destroy(new Error('ECONNRESET'));
    while (!broken.closed) await turn();
    server.attach(host);
    server.serve();
    expect(host.calls).toEqual([broken]);
  });

  it('resets the oldest of a full backlog, and reports how many', async () => {
    const { server, host, transport } = await startListening({ maxConnections: 2 });
    const dialled = Array.from({ length: 5 }, () => transport.connectClient());
    expect(dialled.map(wasReset)).toEqual([true, true, true, false, false]);
    server.attach(host);
    server.serve();
    expect(host.calls).toEqual(['dropped 3', ...dialled.slice(3)]);
  });

  it('resets no connection of a full backlog if one has disconnected', async () => {
    const { server, host, transport } = await startListening({ maxConnections: 2 });
    const first = transport.connectClient();
    transport.connectClient().destroy();
    const third = transport.connectClient();
    expect([first, third].map(wasReset)).toEqual([false, false]);
    server.attach(host);
    server.serve();
    expect(host.calls).toEqual(['dropped 1', first, third]);
  });

  it('does not report what another attempt has dropped', async () => {
    const { server, host, transport } = await startListening({ maxConnections: 1 });
    for (let count = 0; count < 3; count += 1) transport.connectClient();
    await server.close();
    await server.listen(never);
    server.attach(host);
    server.serve();
    expect(host.calls).toEqual([]);
  });
});

describe('Server.close', () => {
  it('releases an endpoint whose host is not loaded, resets its backlog and what arrives later', async () => {
    const { server, transport } = await startListening();
    const early = transport.connectClient();
    const { accept } = transport.listening ?? expect.fail();
    await server.close();
    expect(early.wasReset).toBe(true);
    expect(transport.steps).toEqual(['listen', 'ref', 'close']);
    const late = new ScriptedTransport();
    await late.listen(accept, { onWarning: () => {}, onLost: () => {} });
    expect(late.connectClient().wasReset).toBe(true);
  });

  it('warns of an endpoint that cannot be released, and waits for the connections of the host', async () => {
    const { server, host, events } = create({ transport: new ScriptedTransport({ onStep: stuck }) });
    await server.listen(never);
    server.attach(host);
    server.serve();
    await server.close();
    expect(events).toEqual(['ERR_SINGLETON_CONNECTION_FAILED']);
    expect(host.calls).toEqual(['drain']);
  });

  it('warns of it also if the endpoint was bound after its attempt had ended', async () => {
    const { server, events } = create({ transport: new ScriptedTransport({ onStep: stuck }) });
    const attempt = new LazyAbortController();
    const listening = server.listen(attempt);
    attempt.abort(new SingletonError('ERR_SINGLETON_RELEASED', 'released'));
    await expect(listening).rejects.toThrow('released');
    await turn();
    expect(events).toEqual(['ERR_SINGLETON_CONNECTION_FAILED']);
  });
});

describe('Server', () => {
  it('resets a connection that arrives after close()', async () => {
    const { server, host, transport } = await serving();
    const { accept } = transport.listening ?? expect.fail();
    await server.close();
    const other = new ScriptedTransport();
    await other.listen(accept, { onWarning: () => {}, onLost: () => {} });
    expect(other.connectClient().wasReset).toBe(true);
    expect(host.calls).toEqual(['drain']);
  });
});

describe('Server.setRef', () => {
  it('calls ref() and unref() of the listener only if that changes anything', async () => {
    const { server, transport } = await serving();
    for (const value of [false, false, true, true]) server.setRef(value);
    expect(transport.steps).toEqual(['listen', 'unref', 'ref']);
  });

  it('does nothing without a listener', async () => {
    const { server, transport } = await serving();
    await server.close();
    server.setRef(false);
    expect(transport.isRef).toBe(true);
  });
});

/** An endpoint that cannot be freed. */
function stuck(step: string): void {
  if (step === 'close') throw new Error('boom');
}

function wasReset(connection: ScriptedConnection): boolean {
  return connection.wasReset;
}
