import { describe, expect, test, vi } from 'vitest';
import type { Connection } from '../../src/interface/transport.ts';
import type { Listening } from '../../src/transports/compliance-context.ts';
import { memory, type MemoryNetwork } from '../../src/transports/memory.ts';
import { listen, never, open, options, readAll, testTransport, unexpected } from '../helpers/transport-compliance.ts';

describe.each([0, 1])('with a latency of %d ms', (latency) => {
  testTransport({
    create() {
      const network = memory({ latency });
      return [network.transport('an endpoint'), network.transport('an endpoint')];
    },
    abilities: { reset: true },
  });
});

describe('a network', () => {
  test('has endpoints of its own, by name', async () => {
    const [one, other] = [memory(), memory()];
    await listen(one.transport('a'));
    await listen(one.transport('b'));
    await listen(other.transport('a'));
    expect(one.transport('a').endpoint).toBe('memory://a');
  });

  test('takes the time that it is told to', async () => {
    const network = memory({ latency: 30 });
    await listen(network.transport('a'));
    const start = performance.now();
    await open(network.transport('a'));
    // Timers fire up to a millisecond early.
    expect(performance.now() - start).toBeGreaterThan(29);
  });

  test.each([-1, NaN, Infinity])('cannot have a latency of %d', (latency) => {
    expect(() => memory({ latency })).toThrow(invalid);
  });

  test('cannot have an endpoint without a name', () => {
    expect(() => memory().transport('')).toThrow(invalid);
  });

  test('has room for more connects at one instant than its queue is long', async () => {
    const { network, accepted } = await hosted();
    const clients = await Promise.all(Array.from({ length: 600 }, () => open(network.transport('a'))));
    for (const client of clients) client.end();
    await turns();
    expect(accepted).toHaveLength(600);
  });

  test('asks its schedule before each thing that happens, in the order of each connection', async () => {
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

describe('a frozen host', () => {
  test('takes connections, and hears of them and of their bytes when it is thawed', async () => {
    const { network, accepted, nextAccepted } = await hosted();
    network.freeze('a');
    const arrival = nextAccepted();
    const client = await open(network.transport('a'));
    client.end('patience');
    await turns();
    expect(accepted).toHaveLength(0);
    network.thaw('a');
    expect(String(await readAll(await arrival))).toBe('patience');
  });

  test('sends nothing', async () => {
    const { network, nextAccepted } = await hosted();
    const arrival = nextAccepted();
    const client = await open(network.transport('a'));
    const host = await arrival;
    network.freeze('a');
    host.end('late');
    await turns();
    expect(client.readableLength).toBe(0);
    network.thaw('a');
    expect(String(await readAll(client))).toBe('late');
  });

  test('with a full queue lets further ones wait, until they give up', async () => {
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

  test('has the endpoint all the same', async () => {
    const { network } = await hosted();
    network.freeze('a');
    expect(await network.transport('a').listen(unexpected, options())).toBeUndefined();
  });
});

describe('a crash', () => {
  test.each([false, true])(
    'resets connections, frees the endpoint and does not tell the host; frozen: %j',
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

  test('of nobody changes nothing', async () => {
    const network = memory();
    network.crash('a');
    network.steal('a');
    await listen(network.transport('a'));
  });
});

test('a host whose endpoint is stolen is told, once, and the next one has it', async () => {
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

test.each([0, 3, 6])('a connection is cut after %d bytes, and the one after it is not', async (bytes) => {
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

const invalid = expect.objectContaining({ code: 'ERR_SINGLETON_INVALID_OPTION' });

/** A host at an endpoint that a test does something to. */
async function hosted(): Promise<Listening & { readonly network: MemoryNetwork }> {
  const network = memory();
  return { network, ...(await listen(network.transport('a'))) };
}

function closed(connection: Connection): Promise<unknown> {
  return new Promise((resolve) => connection.once('close', resolve));
}

/** As many turns of the event loop as anything here could take. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
}
