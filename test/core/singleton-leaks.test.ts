import { getEventListeners } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, expect, it, vi } from 'vitest';
import { Singleton } from '../../src/index.ts';
import { closed, dial, launch, portOf, speak } from '../helpers/host.ts';

afterEach(() => {
  vi.useRealTimers();
});

/** The sockets and servers that keep this process alive, once those that are closing are closed. */
async function sockets(): Promise<string[]> {
  // Handles close at the end of a turn.
  await turn();
  await turn();
  return process.getActiveResourcesInfo().filter((name) => name.startsWith('TCP'));
}

/** A host that has seen every kind of client. */
async function busyHost(signal: AbortSignal): Promise<Singleton> {
  const app = await Singleton.acquire({ port: 0, secret: 'sesame', timeout: 60_000, maxMessageBytes: 99, signal });
  app.ref().on('args', () => {});
  await launch(app, ['a'], { secret: 'sesame' });
  await launch(app, ['a'], { secret: 'guess' });
  await speak(app, 'cut off');
  await speak(app, 'x'.repeat(100));
  await Singleton.acquire({ port: portOf(app), secret: 'sesame', strict: false, signal }).catch(() => {});
  return app;
}

it('a host has a server, a timer and a listener on its signal, and none of them after its release', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const { signal } = new AbortController();
  const before = await sockets();
  const app = await busyHost(signal);
  expect(await sockets()).toContain('TCPServerWrap');
  expect(getEventListeners(signal, 'abort')).toHaveLength(1);
  expect(vi.getTimerCount()).toBe(1);
  await app.release();
  expect(await sockets()).toEqual(before);
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  expect(vi.getTimerCount()).toBe(0);
});

it('a release that has to cut a connection leaves no socket and no timer', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const before = await sockets();
  const app = await busyHost(new AbortController().signal);
  const open = await dial(app);
  await launch(app, [], { secret: 'sesame' });
  const closing = closed(open);
  const releasing = app.release();
  await vi.advanceTimersByTimeAsync(1000);
  await releasing;
  await closing;
  expect(await sockets()).toEqual(before);
  expect(vi.getTimerCount()).toBe(0);
});

it('a host that its signal released leaves no listener on it', async () => {
  const controller = new AbortController();
  const app = await Singleton.acquire({ port: 0, signal: controller.signal });
  const released = new Promise((resolve) => app.on('release', resolve));
  controller.abort();
  expect(await released).toBe('aborted');
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
});

it('a hand-off leaves no socket, no timer and no listener', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const app = await Singleton.acquire({ port: 0 });
  const { signal } = new AbortController();
  const before = await sockets();
  await launch(app, ['a'], { signal });
  expect(await sockets()).toEqual(before);
  expect(vi.getTimerCount()).toBe(0);
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  await app.release();
});
