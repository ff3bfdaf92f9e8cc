import { describe, expect, it, vi } from 'vitest';
import { LazyAbortController, raceAbort } from '../../src/core/deadline.ts';
import { SingletonError } from '../../src/interface/errors.ts';

const first = new SingletonError('ERR_SINGLETON_RELEASED', 'First.');
const second = new SingletonError('ERR_SINGLETON_BUSY', 'Second.');

describe('LazyAbortController', () => {
  it('aborts once, with its first reason', () => {
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

  it('sets its reason before it calls back', () => {
    const ending = new LazyAbortController();
    const reasons: unknown[] = [];
    ending.onAbort(() => reasons.push(ending.reason, ending.signal.aborted));
    ending.abort(first);
    expect(reasons).toEqual([first, true]);
  });

  it('has a signal before and after the abort', () => {
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

describe('raceAbort', () => {
  it('settles as the promise does, and unsubscribes', async () => {
    const ending = new LazyAbortController();
    const forget = vi.fn<() => void>();
    const watched = Object.assign(ending, { onAbort: () => forget });
    expect(await raceAbort(Promise.resolve('a'), watched)).toBe('a');
    await expect(raceAbort(Promise.reject(second), watched)).rejects.toBe(second);
    expect(forget).toHaveBeenCalledTimes(2);
  });

  it('rejects with the reason of an abort that came first, or that happened before the call', async () => {
    const ending = new LazyAbortController();
    const rejected = expect(raceAbort(new Promise(() => {}), ending)).rejects.toBe(first);
    ending.abort(first);
    await rejected;
    await expect(raceAbort(Promise.resolve('a'), ending)).rejects.toBe(first);
  });
});
