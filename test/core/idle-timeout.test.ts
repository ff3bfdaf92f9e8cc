import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Singleton } from '../../src/index.ts';
import { launchWaiting, startHostOn, wires } from '../helpers/answer.ts';
import { connect, launch, portOf } from '../helpers/host.ts';

const [wire] = wires;
const idleTimeout = 60_000;

describe('idleTimeout', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('releases with the reason idle after its time without a launch', async () => {
    const { app } = await startHostOn(wire, { idleTimeout });
    const released = once(app, 'release');
    vi.advanceTimersByTime(idleTimeout);
    expect(await released).toEqual(['idle']);
    expect(app.listening).toBe(false);
  });

  it('counts from the last launch', async () => {
    const { app } = await startHostOn(wire, { idleTimeout });
    app.on('args', () => {});
    vi.advanceTimersByTime(idleTimeout - 1);
    await launchWaiting(app, wire, { args: ['a'], wait: false }).result;
    vi.advanceTimersByTime(idleTimeout - 1);
    expect(app.listening).toBe(true);
    const released = once(app, 'release');
    vi.advanceTimersByTime(1);
    expect(await released).toEqual(['idle']);
  });

  it.each([
    ['waits for a listener', () => {}],
    ['is at work', (app: Singleton) => app.on('args', () => new Promise(() => {}))],
    ['is at work in the handler', (app: Singleton) => app.handle(() => new Promise(() => {}))],
  ])('does not release while a launch %s', async (_, listen) => {
    const { app } = await startHostOn(wire, { idleTimeout });
    listen(app);
    await launchWaiting(app, wire, { args: ['a'], wait: false }).result;
    vi.advanceTimersByTime(10 * idleTimeout);
    await turn();
    expect(app.listening).toBe(true);
  });

  it('does not release while a session is open, and counts from its end', async () => {
    const { app } = await startHostOn(wire, { idleTimeout });
    const ends: ((value: string) => void)[] = [];
    app.handle(() => new Promise((resolve) => ends.push(resolve)));
    const { result } = launchWaiting(app, wire, { args: ['a'] });
    while (ends.length === 0) await turn();
    vi.advanceTimersByTime(10 * idleTimeout);
    expect(app.listening).toBe(true);
    ends[0]?.('done');
    expect(await result).toMatchObject({ reply: 'done' });
    vi.advanceTimersByTime(idleTimeout - 1);
    expect(app.listening).toBe(true);
  });

  it('does not release while a launch is being delivered', async () => {
    const { app } = await startHostOn(wire, { idleTimeout, receiveTimeout: 20 * idleTimeout });
    const connection = await connect(app);
    const seen = once(connection, 'close');
    while ((await Singleton.status({ port: portOf(app), ...wire.shared }))?.clients !== 0) await turn();
    vi.advanceTimersByTime(10 * idleTimeout);
    expect(app.listening).toBe(true);
    connection.destroy();
    await seen;
  });

  it('is not extended by a status', async () => {
    const { app } = await startHostOn(wire, { idleTimeout });
    vi.advanceTimersByTime(idleTimeout - 1);
    expect(await Singleton.status({ port: portOf(app), ...wire.shared })).toMatchObject({ clients: 0 });
    const released = once(app, 'release');
    const asked = performance.now();
    while (app.listening) {
      vi.advanceTimersByTime(1000);
      await turn();
    }
    expect(await released).toEqual(['idle']);
    expect(performance.now() - asked).toBeLessThan(idleTimeout / 2);
  });

  it('accepts 0, and refuses what is no time', async () => {
    expect(() => new Singleton({ idleTimeout: 0 })).not.toThrow();
    for (const wrong of [-1, 1.5, 2 ** 31, Infinity])
      expect(() => new Singleton({ idleTimeout: wrong })).toThrow('idleTimeout');
    const app = await new Singleton({ port: 0 }).acquire();
    await launch(app, ['a']);
    vi.advanceTimersByTime(100 * idleTimeout);
    expect(app.listening).toBe(true);
    await app.release();
  });
});
