import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { launch, startHost } from '../helpers/host.ts';

describe('Singleton, without an args listener,', () => {
  it('queues launches until a listener is added, and dispatches them in order', async () => {
    const app = await startHost();
    for (const name of ['1', '2', '3']) await launch(app, [name]);
    const calls: unknown[] = [];
    app.on('args', (args, client) => calls.push([...args, client.number]));
    await turn();
    expect(calls).toEqual([
      ['1', 1],
      ['2', 2],
      ['3', 3],
    ]);
    expect(app.arguments).toEqual([]);
  });

  it('dispatches queued launches to an observer', async () => {
    const app = await startHost();
    await launch(app, ['1']);
    const calls: unknown[] = [];
    app.trace((args) => calls.push(args));
    await turn();
    expect(calls).toEqual([['1']]);
  });

  it('dispatches queued launches to all listeners that are added in the same tick', async () => {
    const app = await startHost();
    await launch(app, ['1']);
    const calls: string[] = [];
    app.trace(([arg]) => calls.push(`observer ${arg}`));
    app.on('args', ([arg]) => calls.push(`first ${arg}`));
    app.on('args', ([arg]) => calls.push(`second ${arg}`));
    expect(calls).toEqual([]);
    await turn();
    expect(calls).toEqual(['observer 1', 'first 1', 'second 1']);
  });

  it('dispatches one launch to a once() listener, and keeps the others queued', async () => {
    const app = await startHost();
    for (const name of ['1', '2', '3']) await launch(app, [name]);
    expect(await once(app, 'args')).toMatchObject([['1'], { number: 1 }]);
    expect(app.arguments).toEqual([['2'], ['3']]);
    expect(await once(app, 'args')).toMatchObject([['2'], { number: 2 }]);
  });

  it('dispatches nothing to a listener that is removed before the tick', async () => {
    const app = await startHost();
    await launch(app, ['1']);
    app.on('args', () => expect.fail());
    app.removeAllListeners('args');
    await turn();
    expect(app.arguments).toEqual([['1']]);
  });

  it('keeps launches queued although there is a client listener', async () => {
    const app = await startHost();
    app.on('client', () => {});
    await launch(app, ['1']);
    expect(app.arguments).toEqual([['1']]);
  });

  it('does not queue a launch without arguments', async () => {
    const app = await startHost();
    await launch(app, []);
    expect(app.arguments).toEqual([]);
  });

  it('returns a frozen snapshot of frozen lists as app.arguments', async () => {
    const app = await startHost();
    const before = app.arguments;
    await launch(app, ['1']);
    const after = app.arguments;
    expect(before).toEqual([]);
    expect(after).toEqual([['1']]);
    expect([before, after, after[0]].every((one) => Object.isFrozen(one))).toBe(true);
    app.on('args', () => {});
    await turn();
    expect(after).toEqual([['1']]);
    expect(app.arguments).toEqual([]);
  });

  it('keeps launches queued when app.arguments is read', async () => {
    const app = await startHost();
    await launch(app, ['1']);
    expect(app.arguments).toEqual(app.arguments);
    expect(await once(app, 'args')).toMatchObject([['1'], {}]);
  });

  it('counts a launch beyond maxPending and drops it with a warning', async () => {
    const app = await startHost({ maxPending: 2 });
    const warnings: unknown[] = [];
    app.on('warning', (warning) => warnings.push(warning));
    for (const name of ['1', '2', '3']) await launch(app, [name]);
    expect(app.arguments).toEqual([['1'], ['2']]);
    expect(app.clients).toBe(3);
    expect(warnings).toMatchObject([{ code: 'ERR_SINGLETON_BUSY', message: expect.stringMatching(/maxPending is 2/) }]);
  });

  it('limits the bytes of queued launches to 16 messages of the largest size', async () => {
    const app = await startHost({ maxMessageBytes: 1000 });
    const warnings: string[] = [];
    app.on('warning', ({ code }) => warnings.push(code));
    for (let count = 0; count < 17; count++) await launch(app, ['x'.repeat(960)]);
    expect(app.arguments).toHaveLength(16);
    expect(app.clients).toBe(17);
    expect(warnings).toEqual(['ERR_SINGLETON_BUSY']);
  });

  it('does not apply maxPending to launches that are dispatched at once', async () => {
    const app = await startHost({ maxPending: 1 });
    const calls: unknown[] = [];
    app.on('warning', (warning) => calls.push(warning));
    app.on('args', (args) => calls.push(args));
    for (const name of ['1', '2', '3']) await launch(app, [name]);
    expect(calls).toEqual([['1'], ['2'], ['3']]);
  });

  it('queues a launch again after the last listener was removed', async () => {
    const app = await startHost();
    const listener = vi.fn<(args: readonly string[]) => void>();
    app.on('args', listener);
    await launch(app, ['1']);
    app.off('args', listener);
    await launch(app, ['2']);
    expect(app.arguments).toEqual([['2']]);
    expect(listener).toHaveBeenCalledOnce();
  });
});
