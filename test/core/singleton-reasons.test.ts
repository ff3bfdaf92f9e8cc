import { getEventListeners, once } from 'node:events';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Singleton } from '../../src/index.ts';
import { recordEvents, start, startHost } from '../helpers/host.ts';
import { ScriptedTransport } from '../helpers/scripted-transport.ts';

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** The events of a release by that cause. */
async function reasonOf(app: Singleton, cause: () => unknown): Promise<unknown> {
  const { order } = recordEvents(app);
  const released = once(app, 'release');
  cause();
  await released;
  await app.release();
  expect(app.listening).toBe(false);
  return order;
}

describe('release', () => {
  it('has the reason timeout after the timeout event', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const app = await startHost({ timeout: 50 });
    vi.advanceTimersByTime(49);
    expect(app.listening).toBe(true);
    expect(await reasonOf(app, () => vi.advanceTimersByTime(1))).toEqual(['timeout', 'release timeout']);
  });

  it('has the reason timeout after a time that starts with listening, not before', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const app = new Singleton({ transport: new ScriptedTransport(), timeout: 50 });
    vi.advanceTimersByTime(50);
    await start(app);
    vi.advanceTimersByTime(49);
    expect(app.listening).toBe(true);
    await app.release();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('does not keep the process alive with the timer of timeout', async () => {
    const setTimer = vi.spyOn(globalThis, 'setTimeout');
    await start(new Singleton({ transport: new ScriptedTransport(), timeout: 50_000 }));
    const index = setTimer.mock.calls.findIndex(([, after]) => after === 50_000);
    expect(setTimer.mock.results[index]?.value).toSatisfy((timer: NodeJS.Timeout) => !timer.hasRef());
  });

  it('has the reason aborted when the signal aborts', async () => {
    const controller = new AbortController();
    const app = await startHost({ signal: controller.signal });
    expect(await reasonOf(app, () => controller.abort())).toEqual(['release aborted']);
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
  });

  it('has the reason lost when the transport calls onLost', async () => {
    const transport = new ScriptedTransport();
    const app = await start(new Singleton({ transport }));
    expect(await reasonOf(app, () => transport.listening?.options.onLost())).toEqual(['release lost']);
    expect(transport.steps.at(-1)).toBe('close');
  });

  it('has the reason of the first of two releases', async () => {
    const controller = new AbortController();
    const app = await startHost({ signal: controller.signal });
    const { order } = recordEvents(app);
    const releasing = app.release();
    controller.abort();
    await releasing;
    expect(order).toEqual(['release manual']);
  });
});

describe('disposal of a Singleton', () => {
  it('releases and waits at the end of an await using block', async () => {
    const orders: string[][] = [];
    {
      await using app = await Singleton.acquire({ port: 0 });
      orders.push(recordEvents(app).order);
    }
    expect(orders).toEqual([['release manual']]);
  });

  it('frees the endpoint at the end of a using block', async () => {
    const apps: Singleton[] = [];
    {
      using app = await Singleton.acquire({ port: 0 });
      apps.push(app);
      expect(app.listening).toBe(true);
    }
    expect(apps).toMatchObject([{ listening: false }]);
  });
});
