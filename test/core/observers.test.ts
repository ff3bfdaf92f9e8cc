import { setImmediate as turn } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import type { SingletonError } from '../../src/core/errors.ts';
import { Observers } from '../../src/core/observers.ts';

function observe(): { readonly observers: Observers<string>; readonly warnings: SingletonError[] } {
  const warnings: SingletonError[] = [];
  return { observers: new Observers<string>((warning) => warnings.push(warning)), warnings };
}

it('an observer gets the arguments, then what was stored with it', () => {
  const { observers } = observe();
  const calls: unknown[] = [];
  observers.set((...all: readonly unknown[]) => calls.push(all), ['>', 2]);
  observers.notify('a');
  observers.notify('b');
  expect(calls).toEqual([
    ['a', '>', 2],
    ['b', '>', 2],
  ]);
});

it('observers are called in the order of their first set', () => {
  const { observers } = observe();
  const calls: string[] = [];
  const first = (args: string, suffix: string): unknown => calls.push(`first ${args}${suffix}`);
  const second = (args: string): unknown => calls.push(`second ${args}`);
  observers.set(first, ['?']);
  observers.set(second, []);
  observers.set(first, ['!']);
  observers.notify('a');
  expect(calls).toEqual(['first a!', 'second a']);
});

it('size counts an observer once, however often it is set', () => {
  const { observers } = observe();
  const observer = vi.fn<(args: string) => void>();
  observers.set(observer, []);
  observers.set(observer, []);
  expect(observers.size).toBe(1);
});

it('a deleted observer is not called, and the others are', () => {
  const { observers } = observe();
  const [gone, stays] = [vi.fn<(args: string) => void>(), vi.fn<(args: string) => void>()];
  observers.set(gone, []);
  observers.set(stays, []);
  observers.delete(gone);
  observers.notify('a');
  expect(gone).not.toHaveBeenCalled();
  expect(stays).toHaveBeenCalledExactlyOnceWith('a');
});

it('deleting an unknown observer changes nothing', () => {
  const { observers } = observe();
  observers.set(() => {}, []);
  observers.delete(() => {});
  expect(observers.size).toBe(1);
});

it('nobody is called after clear', () => {
  const { observers } = observe();
  const observer = vi.fn<(args: string) => void>();
  observers.set(observer, []);
  observers.clear();
  observers.notify('a');
  expect(observer).not.toHaveBeenCalled();
  expect(observers.size).toBe(0);
});

it('an observer that throws is a warning with its error as the cause, and the next one is called', () => {
  const { observers, warnings } = observe();
  const boom = new Error('boom');
  const next = vi.fn<(args: string) => void>();
  observers.set(() => {
    throw boom;
  }, []);
  observers.set(next, []);
  observers.notify('a');
  expect(next).toHaveBeenCalledOnce();
  expect(warnings).toMatchObject([{ code: 'ERR_SINGLETON_OBSERVER_FAILED', cause: boom }]);
});

it('an observer that rejects is a warning with its reason as the cause', async () => {
  const { observers, warnings } = observe();
  const boom = new Error('boom');
  observers.set(() => Promise.reject(boom), []);
  observers.notify('a');
  expect(warnings).toEqual([]);
  await turn();
  expect(warnings).toMatchObject([{ code: 'ERR_SINGLETON_OBSERVER_FAILED', cause: boom }]);
});

it('an observer that resolves is no warning', async () => {
  const { observers, warnings } = observe();
  observers.set(() => Promise.resolve('done'), []);
  observers.notify('a');
  await turn();
  expect(warnings).toEqual([]);
});

it('an observer that comes during a notification hears of the next one', () => {
  const { observers } = observe();
  const late = vi.fn<(args: string) => void>();
  observers.set(() => observers.set(late, []), []);
  observers.notify('a');
  expect(late).not.toHaveBeenCalled();
  observers.notify('b');
  expect(late).toHaveBeenCalledExactlyOnceWith('b');
});
