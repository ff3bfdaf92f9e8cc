import { expect, it, vi } from 'vitest';
import { launch, startHost } from '../helpers/host.ts';

type Observer = (args: readonly string[], ...stored: unknown[]) => void;

it('an observer gets the arguments of a launch, then what was stored', async () => {
  const app = await startHost();
  const observer = vi.fn<Observer>();
  app.trace(observer, '>>> ', { debug: true });
  await launch(app, ['a', 'b']);
  expect(observer).toHaveBeenCalledExactlyOnceWith(['a', 'b'], '>>> ', { debug: true });
});

it('observers are called in the order of tracing, before the args listeners', async () => {
  const app = await startHost();
  const order: string[] = [];
  app.on('args', () => order.push('listener'));
  app.trace(() => order.push('first'));
  app.trace(() => order.push('second'));
  await launch(app, ['a']);
  expect(order).toEqual(['first', 'second', 'listener']);
});

it('an observer does not hear of a launch without arguments', async () => {
  const app = await startHost();
  const observer = vi.fn<Observer>();
  app.trace(observer);
  await launch(app, []);
  expect(observer).not.toHaveBeenCalled();
});

it('tracing an observer again replaces what is stored, and it is called once', async () => {
  const app = await startHost();
  const observer = vi.fn<Observer>();
  app.trace(observer, 1, 2).trace(observer, 3);
  await launch(app, ['a']);
  expect(observer).toHaveBeenCalledExactlyOnceWith(['a'], 3);
});

it('an untraced observer is not called', async () => {
  const app = await startHost();
  const observer = vi.fn<Observer>();
  app.trace(observer).untrace(observer);
  await launch(app, ['a']);
  expect(observer).not.toHaveBeenCalled();
  expect(app.arguments).toEqual([['a']]);
});

it('untracing an unknown observer changes nothing', async () => {
  const app = await startHost();
  const observer = vi.fn<Observer>();
  app.trace(observer).untrace(() => {});
  await launch(app, ['a']);
  expect(observer).toHaveBeenCalledOnce();
});

it('trace and untrace return the Singleton', async () => {
  const app = await startHost();
  const observer = vi.fn<Observer>();
  expect(app.trace(observer)).toBe(app);
  expect(app.untrace(observer)).toBe(app);
});

it('an observer that untraces itself hears of one launch, and the next one waits', async () => {
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
