import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { legacy, Singleton, type StatusOptions } from '../../src/index.ts';
import { msgpack } from '../../src/codecs/msgpack.ts';
import { frames } from '../../src/protocol/frames.ts';
import { encodeStatus } from '../../src/protocol/messages.ts';
import { memory } from '../../src/transports/memory.ts';
import { launchWaiting } from '../helpers/answer.ts';
import { endpointNames, endpoints, transportAt } from '../helpers/endpoints.ts';
import { launch, portOf, recordEvents, startHost } from '../helpers/host.ts';
import {
  afterHello,
  codec,
  expectFrame,
  KIND,
  readClientHello,
  SECRET,
  startJson,
  startPythonLike,
  STATUS_REQUEST,
} from '../helpers/requests.ts';
import { clientHello, EMPTY, frame, RawConnection, readFrame, serve } from '../helpers/wire.ts';

const json = { codec };
const STATUS = { pid: 7, since: 0, clients: 1, pending: 2, sessions: 3, codecs: ['json'] };
const ANSWER = frames.encode(encodeStatus(STATUS));

describe.each(endpointNames)('Singleton.status(), over %s,', (name) => {
  it('resolves to undefined if no host is there', async () => {
    const app = await startJson({ transport: endpoints[name]() });
    const transport = transportAt(app.endpoint);
    await app.release();
    expect(await Singleton.status({ transport, ...json })).toBeUndefined();
    expect(await Singleton.status({ transport })).toBeUndefined();
  });

  it.each([undefined, SECRET])(
    'has each member, and is neither counted nor an event, with the secret %s',
    async (secret) => {
      const options = { secret, version: '1.2.3' };
      const before = Date.now();
      const app = await startJson({ transport: endpoints[name](), ...options, releaseThreshold: 3 });
      const { order } = recordEvents(app);
      const ask = { transport: transportAt(app.endpoint), ...json, secret };
      const expected = { endpoint: app.endpoint, pid: process.pid, version: '1.2.3', codecs: ['json'] };

      const none = await Singleton.status(ask);
      expect(none).toEqual({ ...expected, since: none?.since, clients: 0, pending: 0, sessions: 0 });
      expect(Number(none?.since)).toBeGreaterThanOrEqual(before);
      expect(Number(none?.since)).toBeLessThanOrEqual(Date.now());

      for (let count = 0; count < 5; count += 1) await Singleton.status(ask);
      await launch(app, ['a'], { ...json, secret });
      expect(await Singleton.status(ask)).toEqual({ ...none, clients: 1 });
      expect([app.clients, app.listening]).toEqual([1, true]);
      expect(order).toEqual(['client', 'args']);
    },
  );
});

describe('Singleton.status()', () => {
  it('counts the launches that wait for a listener, and those that wait for a result', async () => {
    const app = await startJson();
    const shared = { ...json, port: portOf(app) };
    await Singleton.send({ ...shared, args: ['a'] });
    await Singleton.send({ ...shared, args: ['b'] });
    const arrived = once(app, 'client');
    const { result } = launchWaiting(app, { name: 'json', shared: json });
    await arrived;
    expect(await Singleton.status(shared)).toMatchObject({ clients: 3, pending: 3, sessions: 1 });
    app.on('args', (_, client) => void client.exit(5));
    expect(await result).toMatchObject({ exitCode: 5 });
    expect(await Singleton.status(shared)).toMatchObject({ clients: 3, pending: 0, sessions: 0 });
  });

  it('has no version if the host has none, and the codecs in the order of the host', async () => {
    const app = await startJson();
    expect(await Singleton.status({ port: portOf(app), ...json })).not.toHaveProperty('version');
    const both = await Singleton.acquire({ port: 0, codec: [msgpack<number>(), codec, legacy()], args: 1 });
    onTestFinished(() => both.release());
    for (const each of [msgpack(), codec, [codec, legacy()] as const]) {
      const codecs = ['msgpack', 'json', 'legacy'];
      expect(await Singleton.status({ port: portOf(both), codec: each })).toMatchObject({ codecs });
    }
  });

  it.each<[string, StatusOptions, string, readonly string[]]>([
    ['another secret', { secret: `${SECRET}!` }, 'ERR_SINGLETON_VERIFICATION_FAILED', ['verifyFailed']],
    ['no secret', { secret: undefined }, 'ERR_SINGLETON_VERIFICATION_FAILED', ['verifyFailed']],
    ['another name', { name: 'editor' }, 'ERR_SINGLETON_WRONG_APPLICATION', ['warning']],
  ])('rejects with its code with %s, and emits what a launch would', async (_, options, code, events) => {
    const app = await startJson({ secret: SECRET, name: 'notes' });
    const { order } = recordEvents(app);
    const right = { port: portOf(app), ...json, secret: SECRET, name: 'notes' };
    await expect(Singleton.status({ ...right, ...options })).rejects.toMatchObject({ code });
    expect(order).toEqual(events);
    expect(await Singleton.status(right)).toMatchObject({ clients: 0 });
  });

  it('rejects with VERIFICATION_FAILED at a host without a secret', async () => {
    const app = await startJson();
    const refused = { code: 'ERR_SINGLETON_VERIFICATION_FAILED' };
    await expect(Singleton.status({ port: portOf(app), ...json, secret: SECRET })).rejects.toMatchObject(refused);
  });

  it('says over legacy() only that a host is there, which notices nothing', async () => {
    const app = await startHost({ releaseThreshold: 1 });
    const { order } = recordEvents(app);
    for (let count = 0; count < 3; count += 1)
      expect(await Singleton.status({ port: portOf(app) })).toEqual({ endpoint: app.endpoint });
    expect([app.clients, app.listening, order]).toEqual([0, true, []]);
    await launch(app, ['a']);
    expect(order).toEqual(['client', 'release threshold']);
  });

  it('says over legacy() that a structured host is there, which notices nothing', async () => {
    const app = await startJson();
    const { order } = recordEvents(app);
    expect(await Singleton.status({ port: portOf(app) })).toEqual({ endpoint: app.endpoint });
    await launch(app, ['a'], json);
    expect(order).toEqual(['client', 'args']);
  });

  it('says that a host with another codec is there, which emits what a launch would', async () => {
    for (const app of [await startHost(), await startJson()]) {
      const { order } = recordEvents(app);
      expect(await Singleton.status({ port: portOf(app), codec: msgpack() })).toEqual({ endpoint: app.endpoint });
      while (order.length === 0) await turn();
      expect([order, app.clients]).toEqual([['warning'], 0]);
    }
  });

  it('sends nothing to a host that reads once and closes, as one of the Python package', async () => {
    const { port, received } = await startPythonLike();
    expect(await Singleton.status({ port })).toEqual({ endpoint: `tcp://127.0.0.1:${port}` });
    expect(await Promise.all(received)).toEqual([EMPTY]);
  });

  it('rejects with FOREIGN_HOST for another program, and sends it no more than the hello', async () => {
    const { port, served } = await serve([
      async (wire) => {
        const hello = await readClientHello(wire);
        expect(hello).toEqual(clientHello({ application: '' }));
        wire.write(Buffer.from('220 welcome\r\n'));
        expect(await wire.readToEnd().catch(() => EMPTY)).toHaveLength(0);
      },
    ]);
    await expect(Singleton.status({ port, ...json })).rejects.toMatchObject({ code: 'ERR_SINGLETON_FOREIGN_HOST' });
    await Promise.all(served);
  });

  it.each([undefined, SECRET])(
    'rejects with HOST_UNRESPONSIVE when a host is frozen, with the secret %s',
    async (secret) => {
      const network = memory();
      const transport = network.transport('a');
      const app = await startJson({ transport, secret });
      network.freeze('a');
      const failure = Singleton.status({ transport, ...json, secret, deliveryTimeout: 50 });
      await expect(failure).rejects.toMatchObject({
        code: 'ERR_SINGLETON_HOST_UNRESPONSIVE',
        message: expect.stringContaining('50 ms'),
      });
      network.unfreeze('a');
      expect(await Singleton.status({ transport, ...json, secret })).toMatchObject({ pid: process.pid });
      expect(app.clients).toBe(0);
    },
  );

  it('rejects when its signal aborts, before it has begun and while it waits', async () => {
    const network = memory();
    const transport = network.transport('a');
    await startJson({ transport });
    network.freeze('a');
    const cause = new Error('enough');
    const released = { code: 'ERR_SINGLETON_RELEASED', cause };
    const aborted = AbortSignal.abort(cause);
    await expect(Singleton.status({ transport, ...json, signal: aborted })).rejects.toMatchObject(released);
    const controller = new AbortController();
    const asking = Singleton.status({ transport, ...json, signal: controller.signal });
    setImmediate(() => controller.abort(cause));
    await expect(asking).rejects.toMatchObject(released);
  });

  it.each<[string, (wire: RawConnection) => unknown]>([
    ['resets', (wire) => wire.reset()],
    ['ends', (wire) => wire.end()],
    ['refuses with "not taken", because it is being released', (wire) => wire.end(frame(KIND.refusal, Buffer.of(5)))],
  ])('tries again when a host %s', async (_, act) => {
    const first = afterHello(async (wire) => {
      await expectFrame(wire, KIND.statusRequest);
      await act(wire);
    });
    const second = afterHello(async (wire) => {
      await expectFrame(wire, KIND.statusRequest);
      wire.write(ANSWER);
      expect(await wire.readToEnd()).toHaveLength(0);
    });
    const { port, served } = await serve([first, second]);
    const { since, ...rest } = STATUS;
    const endpoint = `tcp://127.0.0.1:${port}`;
    expect(await Singleton.status({ port, ...json })).toEqual({ endpoint, since: new Date(since), ...rest });
    expect(served).toHaveLength(2);
    await Promise.all(served);
  });

  it('resolves to undefined when the host is released before it has accepted the connection', async () => {
    const network = memory();
    const transport = network.transport('a');
    const first = await startJson({ transport, version: 'first' });
    network.freeze('a');
    const asking = Singleton.status({ transport, ...json });
    // It is in the backlog of the frozen host, which resets it.
    setImmediate(async () => {
      await first.release();
      network.unfreeze('a');
    });
    expect(await asking).toBeUndefined();
  });

  it.each<[string, Buffer, string]>([
    ['a receipt', frame(KIND.receipt, Buffer.alloc(17, 1)), 'ERR_SINGLETON_MALFORMED_MESSAGE'],
    ['half a status', frame(KIND.status, Buffer.alloc(23)), 'ERR_SINGLETON_MALFORMED_MESSAGE'],
    ['a final refusal', frame(KIND.refusal, Buffer.of(4)), 'ERR_SINGLETON_BUSY'],
  ])('rejects when a host answers with %s', async (_, answer, code) => {
    const { port } = await serve([
      afterHello(async (wire) => {
        await expectFrame(wire, KIND.statusRequest);
        wire.write(answer);
      }),
    ]);
    await expect(Singleton.status({ port, ...json })).rejects.toMatchObject({ code });
  });
});

describe('a host', () => {
  it('ends after a client that ends after its status, and sends nothing more', async () => {
    const app = await startJson();
    const { order } = recordEvents(app);
    const wire = await askedOnce(app);
    wire.end();
    expect(await wire.readToEnd()).toEqual(EMPTY);
    await app.release();
    expect(order).toEqual(['release manual']);
  });

  it.each<[string, Buffer]>([
    ['a second request', STATUS_REQUEST],
    ['a frame that is empty', Buffer.alloc(4)],
    ['an unknown frame', frame(100, EMPTY)],
  ])('refuses %s after a status as malformed', async (_, bytes) => {
    const app = await startJson();
    const { warnings } = recordEvents(app);
    const wire = await askedOnce(app);
    wire.write(bytes);
    expect(await readFrame(wire)).toMatchObject({ kind: KIND.refusal, body: expect.objectContaining({ 0: 3 }) });
    expect(warnings).toEqual(['ERR_SINGLETON_MALFORMED_MESSAGE']);
    expect(app.clients).toBe(0);
  });

  it('refuses a broken frame at once that arrives in one piece with the request', async () => {
    const app = await startJson();
    const wire = await RawConnection.open(app);
    wire.write(Buffer.concat([clientHello({ application: '' }), STATUS_REQUEST, Buffer.alloc(4)]));
    await wire.read(12);
    expect((await readFrame(wire)).kind).toBe(KIND.status);
    expect(await readFrame(wire)).toMatchObject({ kind: KIND.refusal, body: expect.objectContaining({ 0: 3 }) });
  });

  it('reports a client that ends in the middle of a frame after a status', async () => {
    const app = await startJson();
    const warned = once(app, 'warning');
    const wire = await askedOnce(app);
    wire.end(STATUS_REQUEST.subarray(0, 3));
    expect(await warned).toMatchObject([{ code: 'ERR_SINGLETON_TRUNCATED_MESSAGE' }]);
  });
});

async function askedOnce(app: Singleton): Promise<RawConnection> {
  const wire = await RawConnection.open(app);
  wire.write(Buffer.concat([clientHello({ application: '' }), STATUS_REQUEST]));
  await wire.read(12);
  expect((await readFrame(wire)).kind).toBe(KIND.status);
  return wire;
}
