import { describe, expect, it, vi } from 'vitest';
import { launch, startHost } from '../helpers/host.ts';

type Observer = (args: readonly string[], ...stored: unknown[]) => void;

describe('Singleton.trace', () => {
  it('calls an observer with the arguments of a launch, then the stored values', async () => {
    const app = await startHost();
    const observer = vi.fn<Observer>();
    app.trace(observer, '>>> ', { debug: true });
    await launch(app, ['a', 'b']);
    expect(observer).toHaveBeenCalledExactlyOnceWith(['a', 'b'], '>>> ', { debug: true });
  });

  it('calls observers in the order of trace(), before the args listeners', async () => {
    const app = await startHost();
    const order: string[] = [];
    app.on('args', () => order.push('listener'));
    app.trace(() => order.push('first'));
    app.trace(() => order.push('second'));
    await launch(app, ['a']);
    expect(order).toEqual(['first', 'second', 'listener']);
  });

  it('does not call an observer for a launch without arguments', async () => {
    const app = await startHost();
    const observer = vi.fn<Observer>();
    app.trace(observer);
    await launch(app, []);
    expect(observer).not.toHaveBeenCalled();
  });

  it('replaces the stored values, and calls once, when an observer is traced again', async () => {
    const app = await startHost();
    const observer = vi.fn<Observer>();
    app.trace(observer, 1, 2).trace(observer, 3);
    await launch(app, ['a']);
    expect(observer).toHaveBeenCalledExactlyOnceWith(['a'], 3);
  });

  it('does not call an observer after untrace()', async () => {
    const app = await startHost();
    const observer = vi.fn<Observer>();
    app.trace(observer).untrace(observer);
    await launch(app, ['a']);
    expect(observer).not.toHaveBeenCalled();
    expect(app.arguments).toEqual([['a']]);
  });

  it('ignores an unknown observer in untrace()', async () => {
    const app = await startHost();
    const observer = vi.fn<Observer>();
    app.trace(observer).untrace(() => {});
    await launch(app, ['a']);
    expect(observer).toHaveBeenCalledOnce();
  });

  it('returns the Singleton from trace and untrace', async () => {
    const app = await startHost();
    const observer = vi.fn<Observer>();
    expect(app.trace(observer)).toBe(app);
    expect(app.untrace(observer)).toBe(app);
  });

  it('calls an observer that untraces itself for one launch, and queues the next', async () => {
    const app = await startHost();
    const calls: unknown[] = [];
    const observer = (args: readonly string[]): void => {
      calls.push(args);
      app.untrace(observer);
    };
    app.trace(observer);
    await launch(app, ['1']);
    await launch(app, ['2']);
    expect(calls).toEqual([['1']]);
    expect(app.arguments).toEqual([['2']]);
  });
});
