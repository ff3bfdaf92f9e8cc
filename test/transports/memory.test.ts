import { describe, expect, test, vi } from 'vitest';
import type { Connection } from '../../src/interface/transport.ts';
import type { Listening } from '../../src/transports/compliance-context.ts';
import { memory, type MemoryNetwork } from '../../src/transports/memory.ts';
import { listen, never, open, options, readAll, testTransport, unexpected } from '../helpers/transport-compliance.ts';

describe.each([0, 1])('memory({ latency: %d })', (latency) => {
  testTransport({
    create() {
      const network = memory({ latency, lease: true });
      return [network.transport('an endpoint'), network.transport('an endpoint')];
    },
    capabilities: { reset: true, watch: true, lease: true },
  });
});

describe('memory()', () => {
  test('keeps the endpoints of two networks apart', async () => {
    const [one, other] = [memory(), memory()];
    await listen(one.transport('a'));
    await listen(one.transport('b'));
    await listen(other.transport('a'));
    expect(one.transport('a').endpoint).toBe('memory://a');
  });

  test('delays each step by its latency', async () => {
    const order: string[] = [];
    const begin = async (latency: number): Promise<void> => {
      await listen(memory({ latency }).transport('a'));
      order.push(`latency of ${latency} ms`);
    };
    await Promise.all([begin(300), begin(0)]);
    expect(order).toEqual(['latency of 0 ms', 'latency of 300 ms']);
  });

  test.each([-1, NaN, Infinity])('refuses a latency of %d', (latency) => {
    expect(() => memory({ latency })).toThrow(invalid);
  });

  test('refuses an endpoint without a name', () => {
    expect(() => memory().transport('')).toThrow(invalid);
  });

  test('accepts more simultaneous connects than its queue is long', async () => {
    const { network, accepted } = await hosted();
    const clients = await Promise.all(Array.from({ length: 600 }, () => open(network.transport('a'))));
    for (const client of clients) client.end();
    await turns();
    expect(accepted).toHaveLength(600);
  });

  test('calls its schedule before each step, in the order of each connection', async () => {
    const steps: string[] = [];
    const network = memory({ schedule: async (what) => void steps.push(what) });
    const { nextAccepted } = await listen(network.transport('a'));
    const accepted = nextAccepted();
    const client = await open(network.transport('a'));
    client.end('hello');
    await readAll(await accepted);
    expect(steps).toEqual(['listen at memory://a', 'connect to memory://a', 'accept at memory://a', '5 bytes', 'end']);
  });
});

describe('freeze()', () => {
  test('queues connections, which the host accepts with their bytes after unfreeze()', async () => {
    const { network, accepted, nextAccepted } = await hosted();
    network.freeze('a');
    const arrival = nextAccepted();
    const client = await open(network.transport('a'));
    client.end('patience');
    await turns();
    expect(accepted).toHaveLength(0);
    network.unfreeze('a');
    expect(String(await readAll(await arrival))).toBe('patience');
  });

  test('holds back what the host sends', async () => {
    const { network, nextAccepted } = await hosted();
    const arrival = nextAccepted();
    const client = await open(network.transport('a'));
    const host = await arrival;
    network.freeze('a');
    host.end('late');
    await turns();
    expect(client.readableLength).toBe(0);
    network.unfreeze('a');
    expect(String(await readAll(client))).toBe('late');
  });

  test('lets connects wait when the queue is full, until they are aborted', async () => {
    const { network } = await hosted();
    network.freeze('a');
    for (let count = 0; count < 511; count++) await open(network.transport('a'));
    const controller = new AbortController();
    const reason = new Error('enough');
    const waiting = network.transport('a').connect({ signal: controller.signal });
    await turns();
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
  });

  test('keeps the endpoint bound', async () => {
    const { network } = await hosted();
    network.freeze('a');
    expect(await network.transport('a').listen(unexpected, options())).toBeUndefined();
  });
});

describe('crash()', () => {
  test.each([false, true])(
    'resets connections and frees the endpoint without calling onLost (frozen: %j)',
    async (isFrozen) => {
      const { network, nextAccepted, listener } = await hosted();
      const arrival = nextAccepted();
      const served = await open(network.transport('a'));
      await arrival;
      if (isFrozen) network.freeze('a');
      const waiting = isFrozen ? await open(network.transport('a')) : served;
      const over = Promise.all([closed(served), closed(waiting)]);
      network.crash('a');
      await over;
      expect([served, waiting].map(({ errored }) => errored)).toMatchObject([
        { code: 'ECONNRESET' },
        { code: 'ECONNRESET' },
      ]);
      expect(await network.transport('a').connect({ signal: never() })).toBeUndefined();
      const next = await listen(network.transport('a'));
      await listener.close();
      await expect(network.transport('a').listen(unexpected, options())).resolves.toBeUndefined();
      await next.listener.close();
    },
  );

  test('changes nothing without a host', async () => {
    const network = memory();
    network.crash('a');
    network.steal('a');
    await listen(network.transport('a'));
  });
});

describe('steal()', () => {
  test('calls onLost once, and the next host can bind the endpoint', async () => {
    const network = memory();
    const onLost = vi.fn<() => void>();
    const { listener } = await listen(network.transport('a'), { onLost });
    network.steal('a');
    expect(onLost).toHaveBeenCalledOnce();
    const next = await listen(network.transport('a'));
    await listener.close();
    const accepted = next.nextAccepted();
    await open(network.transport('a'));
    await accepted;
  });
});

describe('expire()', () => {
  test('frees the endpoint without an event, and the listener no longer holds it', async () => {
    const network = memory({ lease: true });
    const onLost = vi.fn<() => void>();
    const { listener } = await listen(network.transport('a'), { onLost });
    expect([listener.isHeld?.(), listener.token]).toEqual([true, 1]);
    network.expire('a');
    const next = await listen(network.transport('a'));
    expect([listener.isHeld?.(), next.listener.isHeld?.(), next.listener.token]).toEqual([false, true, 2]);
    expect(onLost).not.toHaveBeenCalled();
  });
});

describe('cutNext()', () => {
  test.each([0, 3, 6])('resets the next connection after %d bytes, and not the one after it', async (bytes) => {
    const { network, nextAccepted } = await hosted();
    network.cutNext('a', bytes);
    const arrival = nextAccepted();
    const client = await open(network.transport('a'));
    const host = await arrival;
    const chunks: Buffer[] = [];
    host.on('data', (chunk: Buffer) => chunks.push(chunk));
    const over = Promise.all([closed(client), closed(host)]);
    client.write('seven b');
    await over;
    expect(Buffer.concat(chunks)).toHaveLength(bytes);
    expect(client.errored).toMatchObject({ code: 'ECONNRESET' });
    const next = nextAccepted();
    (await open(network.transport('a'))).end('seven b');
    expect(String(await readAll(await next))).toBe('seven b');
  });

  test('lets no end arrive that the client sent after the bytes that are lost', async () => {
    const { network, nextAccepted } = await hosted();
    network.cutNext('a', 3);
    const arrival = nextAccepted();
    const client = await open(network.transport('a'));
    const host = await arrival;
    const events: string[] = [];
    host.on('end', () => events.push('end')).on('error', () => events.push('error'));
    const isClosed = closed(host.resume());
    client.end('seven b');
    await isClosed;
    expect(events).toEqual(['error']);
  });
});

const invalid = expect.objectContaining({ code: 'ERR_SINGLETON_INVALID_OPTION' });

/** A host at an endpoint that a test does something to. */
async function hosted(): Promise<Listening & { readonly network: MemoryNetwork }> {
  const network = memory();
  return { network, ...(await listen(network.transport('a'))) };
}

function closed(connection: Connection): Promise<unknown> {
  return new Promise((resolve) => connection.once('close', resolve));
}

/** More turns of the event loop than any of these tests needs. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
}
