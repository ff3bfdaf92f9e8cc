import { EventEmitter, once } from 'node:events';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { json } from '../../src/codecs/json.ts';
import { type Connection, Singleton, type Transport } from '../../src/index.ts';
import { memory } from '../../src/transports/memory.ts';

const HALF_SECOND = 500;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Enough for everything that was sent to arrive. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** A host that drains while a launch waits for its result. */
async function draining(reach: 'machine' | 'network', closed?: Promise<void>) {
  const plain = memory().transport('endpoint');
  const connections: Connection[] = [];
  const transport: Transport = {
    ...plain,
    reach,
    async listen(...args) {
      const listener = await plain.listen(...args);
      return listener && { ...listener, close: async () => closed ?? listener.close() };
    },
    async connect(options) {
      const connection = await plain.connect(options);
      if (connection) connections.push(connection);
      return connection;
    },
  };
  const shared = { transport, codec: json<string[], string>(), secret: 'a secret of both sides' };
  const app = await Singleton.acquire({ ...shared, args: [] });
  const working = new Promise<() => void>((resolve) => {
    app.handle(() => new Promise<string>((done) => resolve(() => done('done'))));
  });
  const result = Singleton.send({ ...shared, args: ['a'], wait: true });
  const finish = await working;
  const released = app.release({ drain: true });
  let bytes = 0;
  for (const connection of connections) connection.on('data', (chunk: Uint8Array) => (bytes += chunk.length));
  await turns();
  return { result, released, finish, bytes: () => bytes };
}

it('sends a ping each half second to a client at another machine, which skips it', async () => {
  const { result, released, finish, bytes } = await draining('network');
  for (let count = 0; count < 3; count += 1) {
    const before = bytes();
    vi.advanceTimersByTime(HALF_SECOND);
    while (bytes() === before) await new Promise((resolve) => setImmediate(resolve));
  }
  finish();
  expect(await result).toMatchObject({ reply: 'done' });
  await released;
  expect(vi.getTimerCount()).toBe(0);
});

it('sends none on one machine, where the system reports that a process has ended', async () => {
  const { result, released, finish, bytes } = await draining('machine');
  const before = bytes();
  vi.advanceTimersByTime(10 * HALF_SECOND);
  await turns();
  expect(bytes()).toBe(before);
  finish();
  expect(await result).toMatchObject({ reply: 'done' });
  await released;
});

it('sends the first one although the store does not confirm that the endpoint is free', async () => {
  const store = new EventEmitter();
  const closed = once(store, 'answer').then(() => undefined);
  const { result, released, finish, bytes } = await draining('network', closed);
  const before = bytes();
  vi.advanceTimersByTime(HALF_SECOND);
  while (bytes() === before) await new Promise((resolve) => setImmediate(resolve));
  store.emit('answer');
  finish();
  expect(await result).toMatchObject({ reply: 'done' });
  await released;
});
