import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Singleton } from '../../src/index.ts';
import { launchWaiting, startHostOn, wires } from '../helpers/answer.ts';
import { connect, portOf, waitForClose } from '../helpers/host.ts';

const MINUTE = 60_000;

/** A host whose handler works until it is let go, one launch after the other. */
async function startWorker(
  wire: (typeof wires)[number],
  concurrency = Infinity,
  options: { allowReplace?: boolean } = {},
) {
  const { app } = await startHostOn(wire, options);
  const ends: (() => void)[] = [];
  app.handle(([name]) => new Promise((resolve) => ends.push(() => resolve(name))), { concurrency });
  const launch = async (name: string): Promise<ReturnType<typeof launchWaiting>> => {
    const before = app.clients;
    const launched = launchWaiting(app, wire, { args: [name] });
    while (app.clients === before) await turn();
    return launched;
  };
  return { app, ends, launch };
}

describe.each(wires)('release({ drain }) over $name', (wire) => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('frees the endpoint at once, and lets what was dispatched finish', async () => {
    const { app, ends, launch } = await startWorker(wire);
    const { result } = await launch('a');
    expect(app.sessions).toBe(1);
    const events: string[] = [];
    app.on('release', (reason) => events.push(reason));
    const released = app.release({ drain: MINUTE });
    const next = await new Singleton({ port: portOf(app), ...wire.shared, args: [] }).acquire();
    vi.advanceTimersByTime(MINUTE - 1);
    await turn();
    expect([app.listening, app.sessions, events]).toEqual([false, 1, []]);
    ends[0]?.();
    expect(await result).toMatchObject({ reply: 'a' });
    await released;
    expect([app.sessions, events]).toEqual([0, ['manual']]);
    await next.release();
  });

  it('lets what waits for the handler have its turn', async () => {
    const { app, ends, launch } = await startWorker(wire, 1);
    const results = [await launch('a'), await launch('b')].map(({ result }) => result);
    const released = app.release({ drain: true });
    vi.advanceTimersByTime(100 * MINUTE);
    for (let done = 0; done < 2; done += 1) {
      while (ends.length === 0) await turn();
      ends.shift()?.();
    }
    expect(await Promise.all(results)).toMatchObject([{ reply: 'a' }, { reply: 'b' }]);
    await released;
  });

  it('is what a host does that is replaced, without a limit', async () => {
    const { app, ends, launch } = await startWorker(wire, 1, { allowReplace: true });
    const results = [await launch('a'), await launch('b')].map(({ result }) => result);
    const released = once(app, 'release');
    const next = await new Singleton({
      port: portOf(app),
      ...wire.shared,
      args: [],
      replace: true,
      strict: false,
    }).acquire();
    vi.advanceTimersByTime(100 * MINUTE);
    for (let done = 0; done < 2; done += 1) {
      while (ends.length === 0) await turn();
      ends.shift()?.();
    }
    expect(await Promise.all(results)).toMatchObject([{ reply: 'a' }, { reply: 'b' }]);
    expect(await released).toEqual(['replaced']);
    await next.release();
  });

  it('cuts what is left when its time is over', async () => {
    const { app, launch } = await startWorker(wire);
    const { result } = await launch('a');
    const released = app.release({ drain: MINUTE });
    for (const ms of [1000, MINUTE]) {
      vi.advanceTimersByTime(ms);
      await turn();
    }
    expect(await result).toMatchObject({ code: 'ERR_SINGLETON_RELEASED' });
    vi.advanceTimersByTime(1000);
    await released;
    expect(app.sessions).toBe(0);
  });

  it('waits for launches that do not wait, too', async () => {
    const { app, ends } = await startWorker(wire);
    await launchWaiting(app, wire, { args: ['a'], wait: false }).result;
    const released = once(app, 'release');
    void app.release({ drain: true });
    vi.advanceTimersByTime(100 * MINUTE);
    await turn();
    expect(app.listening).toBe(false);
    const order: string[] = [];
    void released.then(() => order.push('release'));
    await turn();
    order.push('end');
    ends[0]?.();
    await released;
    await turn();
    expect(order).toEqual(['end', 'release']);
  });

  it('cuts after a second if nothing listens', async () => {
    const { app } = await startHostOn(wire);
    const { result } = launchWaiting(app, wire, { args: ['a'] });
    while (app.clients === 0) await turn();
    const released = app.release({ drain: true });
    await turn();
    vi.advanceTimersByTime(1000);
    expect(await result).toMatchObject({ code: 'ERR_SINGLETON_RELEASED' });
    vi.advanceTimersByTime(1000);
    await released;
  });

  it('does not extend the time of a launch that is incomplete', async () => {
    const { app, ends, launch } = await startWorker(wire);
    const { result } = await launch('a');
    const closing = waitForClose(await connect(app));
    while ((await Singleton.status({ port: portOf(app), ...wire.shared }))?.clients !== 1) await turn();
    const released = app.release({ drain: true });
    await turn();
    vi.advanceTimersByTime(1000);
    expect(await closing).toBe('reset');
    ends[0]?.();
    expect(await result).toMatchObject({ reply: 'a' });
    await released;
  });

  it.each([-1, 1.5, 2 ** 31, Infinity, 'yes'])('refuses a drain of %s', async (drain) => {
    const { app } = await startHostOn(wire);
    // @ts-expect-error one of them is a string
    expect(() => app.release({ drain })).toThrow(expect.objectContaining({ code: 'ERR_SINGLETON_INVALID_OPTION' }));
    expect(app.listening).toBe(true);
  });
});
