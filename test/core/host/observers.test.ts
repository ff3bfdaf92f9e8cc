import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import type { Observer } from '../../../src/core/events.ts';
import { notify } from '../../../src/core/host/dispatcher.ts';
import type { SingletonError } from '../../../src/interface/errors.ts';

function observe() {
  const observers = new Map<Observer<string, any[]>, readonly unknown[]>();
  const warnings: SingletonError[] = [];
  return {
    observers,
    warnings,
    tell: (args: string) => notify(observers, args, { warn: (warning) => void warnings.push(warning) }),
  };
}

describe('notify', () => {
  it('calls an observer with the arguments, then its stored values', () => {
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

  it('calls observers in the order of their first set', () => {
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

  it('does not call a deleted observer, but the others', () => {
    const { observers, tell } = observe();
    const [gone, stays] = [vi.fn<(args: string) => void>(), vi.fn<(args: string) => void>()];
    observers.set(gone, []);
    observers.set(stays, []);
    observers.delete(gone);
    tell('a');
    expect(gone).not.toHaveBeenCalled();
    expect(stays).toHaveBeenCalledExactlyOnceWith('a');
  });

  it('warns of an observer that throws, with its error as the cause, and calls the next one', () => {
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

  it('warns of an observer that rejects, with its reason as the cause', async () => {
    const { observers, warnings, tell } = observe();
    const boom = new Error('boom');
    observers.set(() => Promise.reject(boom), []);
    tell('a');
    expect(warnings).toEqual([]);
    await turn();
    expect(warnings).toMatchObject([{ code: 'ERR_SINGLETON_OBSERVER_FAILED', cause: boom }]);
  });

  it('does not warn of an observer that resolves', async () => {
    const { observers, warnings, tell } = observe();
    observers.set(() => Promise.resolve('done'), []);
    tell('a');
    await turn();
    expect(warnings).toEqual([]);
  });

  it('does not call an observer that is added meanwhile, until the next launch', () => {
    const { observers, tell } = observe();
    const late = vi.fn<(args: string) => void>();
    observers.set(() => observers.set(late, []), []);
    tell('a');
    expect(late).not.toHaveBeenCalled();
    tell('b');
    expect(late).toHaveBeenCalledExactlyOnceWith('b');
  });
});
