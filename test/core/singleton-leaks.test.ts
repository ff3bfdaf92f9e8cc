import { getEventListeners } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Singleton } from '../../src/index.ts';
import { waitForClose, connect, launch, portOf, sendBytes } from '../helpers/host.ts';

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
  await sendBytes(app, 'cut off');
  await sendBytes(app, 'x'.repeat(100));
  await Singleton.acquire({ port: portOf(app), secret: 'sesame', strict: false, signal }).catch(() => {});
  return app;
}

describe('a host', () => {
  it('removes the server, the timer and the listener on the signal at a release', async () => {
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

  it('leaves no socket and no timer after a release that resets a connection', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const before = await sockets();
    const app = await busyHost(new AbortController().signal);
    const open = await connect(app);
    await launch(app, [], { secret: 'sesame' });
    const closing = waitForClose(open);
    const releasing = app.release();
    await vi.advanceTimersByTimeAsync(1000);
    await releasing;
    await closing;
    expect(await sockets()).toEqual(before);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('leaves no listener on a signal that released the host', async () => {
    const controller = new AbortController();
    const app = await Singleton.acquire({ port: 0, signal: controller.signal });
    const released = new Promise((resolve) => app.on('release', resolve));
    controller.abort();
    expect(await released).toBe('aborted');
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
  });
});

describe('a client', () => {
  it('leaves no socket, no timer and no listener after a delivery', async () => {
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
});
