import { describe, expect, it, vi } from 'vitest';
import { LazyAbortController, raceAbort } from '../../src/core/deadline.ts';
import { SingletonError } from '../../src/interface/errors.ts';

const first = new SingletonError('ERR_SINGLETON_RELEASED', 'First.');
const second = new SingletonError('ERR_SINGLETON_BUSY', 'Second.');

describe('an ending', () => {
  it('is over once, for its first reason', () => {
    const ending = new LazyAbortController();
    const called = vi.fn<() => void>();
    ending.onAbort(called);
    expect(ending.reason).toBeUndefined();
    ending.throwIfAborted();
    ending.abort(first);
    ending.abort(second);
    expect(called).toHaveBeenCalledOnce();
    expect(ending.reason).toBe(first);
    expect(() => ending.throwIfAborted()).toThrow(first);
  });

  it('has its reason before it calls back', () => {
    const ending = new LazyAbortController();
    const reasons: unknown[] = [];
    ending.onAbort(() => reasons.push(ending.reason, ending.signal.aborted));
    ending.abort(first);
    expect(reasons).toEqual([first, true]);
  });

  it('has a signal for who asks, before it is over and after', () => {
    const ending = new LazyAbortController();
    const { signal } = ending;
    expect(signal.aborted).toBe(false);
    ending.abort(first);
    expect([signal.reason, ending.signal]).toEqual([first, signal]);
    const other = new LazyAbortController();
    other.abort(first);
    expect(other.signal.reason).toBe(first);
  });
});

describe('unlessOver', () => {
  it('settles as the promise does, and lets go of the ending', async () => {
    const ending = new LazyAbortController();
    const forget = vi.fn<() => void>();
    const watched = Object.assign(ending, { onAbort: () => forget });
    expect(await raceAbort(Promise.resolve('a'), watched)).toBe('a');
    await expect(raceAbort(Promise.reject(second), watched)).rejects.toBe(second);
    expect(forget).toHaveBeenCalledTimes(2);
  });

  it('rejects with the reason of an ending that comes first, or was there before', async () => {
    const ending = new LazyAbortController();
    const rejected = expect(raceAbort(new Promise(() => {}), ending)).rejects.toBe(first);
    ending.abort(first);
    await rejected;
    await expect(raceAbort(Promise.resolve('a'), ending)).rejects.toBe(first);
  });
});
