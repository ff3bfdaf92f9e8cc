import { setImmediate as turn } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import { notify, type Observer } from '../../../src/core/host/observers.ts';
import type { SingletonError } from '../../../src/interface/errors.ts';

function observe() {
  const observers = new Map<Observer<string, any[]>, readonly unknown[]>();
  const warnings: SingletonError[] = [];
  return { observers, warnings, tell: (args: string) => notify(observers, args, (warning) => warnings.push(warning)) };
}

it('an observer gets the arguments, then what was stored with it', () => {
  const { observers, tell } = observe();
  const calls: unknown[] = [];
  observers.set((...all: readonly unknown[]) => calls.push(all), ['>', 2]);
  tell('a');
  tell('b');
  expect(calls).toEqual([
    ['a', '>', 2],
    ['b', '>', 2],
  ]);
});

it('observers are called in the order of their first set', () => {
  const { observers, tell } = observe();
  const calls: string[] = [];
  const first = (args: string, suffix: string): unknown => calls.push(`first ${args}${suffix}`);
  const second = (args: string): unknown => calls.push(`second ${args}`);
  observers.set(first, ['?']);
  observers.set(second, []);
  observers.set(first, ['!']);
  tell('a');
  expect(calls).toEqual(['first a!', 'second a']);
});

it('a deleted observer is not called, and the others are', () => {
  const { observers, tell } = observe();
  const [gone, stays] = [vi.fn<(args: string) => void>(), vi.fn<(args: string) => void>()];
  observers.set(gone, []);
  observers.set(stays, []);
  observers.delete(gone);
  tell('a');
  expect(gone).not.toHaveBeenCalled();
  expect(stays).toHaveBeenCalledExactlyOnceWith('a');
});

it('an observer that throws is a warning with its error as the cause, and the next one is called', () => {
  const { observers, warnings, tell } = observe();
  const boom = new Error('boom');
  const next = vi.fn<(args: string) => void>();
  observers.set(() => {
    throw boom;
  }, []);
  observers.set(next, []);
  tell('a');
  expect(next).toHaveBeenCalledOnce();
  expect(warnings).toMatchObject([{ code: 'ERR_SINGLETON_OBSERVER_FAILED', cause: boom }]);
});

it('an observer that rejects is a warning with its reason as the cause', async () => {
  const { observers, warnings, tell } = observe();
  const boom = new Error('boom');
  observers.set(() => Promise.reject(boom), []);
  tell('a');
  expect(warnings).toEqual([]);
  await turn();
  expect(warnings).toMatchObject([{ code: 'ERR_SINGLETON_OBSERVER_FAILED', cause: boom }]);
});

it('an observer that resolves is no warning', async () => {
  const { observers, warnings, tell } = observe();
  observers.set(() => Promise.resolve('done'), []);
  tell('a');
  await turn();
  expect(warnings).toEqual([]);
});

it('an observer that comes during a notification hears of the next one', () => {
  const { observers, tell } = observe();
  const late = vi.fn<(args: string) => void>();
  observers.set(() => observers.set(late, []), []);
  tell('a');
  expect(late).not.toHaveBeenCalled();
  tell('b');
  expect(late).toHaveBeenCalledExactlyOnceWith('b');
});
