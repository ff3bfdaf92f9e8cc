import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Deadline } from '../../src/core/deadline.ts';
import { SingletonError } from '../../src/interface/errors.ts';

const late = new SingletonError('ERR_SINGLETON_HOST_UNRESPONSIVE', 'Too late.');

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});

afterEach(() => {
  vi.useRealTimers();
});

it('aborts after its time and not a millisecond before', () => {
  const { signal } = new Deadline(100, () => late, undefined);
  vi.advanceTimersByTime(99);
  expect(signal.aborted).toBe(false);
  vi.advanceTimersByTime(1);
  expect(signal.aborted).toBe(true);
  expect(signal.reason).toBe(late);
});

it('asks for the reason when the time is over, not before', () => {
  const expired = vi.fn<() => SingletonError>(() => late);
  const deadline = new Deadline(100, expired, undefined);
  vi.advanceTimersByTime(99);
  expect(expired).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(expired).toHaveBeenCalledOnce();
  deadline.clear();
});

it('pauses between two tries', async () => {
  vi.useRealTimers();
  const deadline = new Deadline(1000, () => late, undefined);
  const before = performance.now();
  expect(await deadline.backoff()).toBe(true);
  expect(performance.now() - before).toBeGreaterThan(3);
  deadline.clear();
});

it('does not pause where the next try would be cut short', async () => {
  const deadline = new Deadline(9, () => late, undefined);
  expect(await deadline.backoff()).toBe(false);
  deadline.clear();
});

it('aborts as soon as the parent does, with RELEASED and the reason of the parent as the cause', () => {
  const parent = new AbortController();
  const { signal } = new Deadline(100, () => late, parent.signal);
  parent.abort('enough');
  expect(signal.aborted).toBe(true);
  expect(signal.reason).toBeInstanceOf(SingletonError);
  expect(signal.reason).toMatchObject({ code: 'ERR_SINGLETON_RELEASED', cause: 'enough' });
});

it('is aborted from the start where the parent is', () => {
  const reason = new Error('enough');
  const { signal } = new Deadline(100, () => late, AbortSignal.abort(reason));
  expect(signal.reason).toMatchObject({ code: 'ERR_SINGLETON_RELEASED', cause: reason });
});

it('passes on a reason that is a SingletonError', () => {
  const parent = new AbortController();
  const { signal } = new Deadline(100, () => late, parent.signal);
  const reason = new SingletonError('ERR_SINGLETON_RELEASED', 'Released.');
  parent.abort(reason);
  expect(signal.reason).toBe(reason);
});

it('keeps its first reason', () => {
  const parent = new AbortController();
  const { signal } = new Deadline(100, () => late, parent.signal);
  vi.advanceTimersByTime(100);
  parent.abort('enough');
  expect(signal.reason).toBe(late);
});

it('neither the time nor the parent aborts it once it is cleared, and it holds on to neither', () => {
  const parent = new AbortController();
  const deadline = new Deadline(100, () => late, parent.signal);
  expect(getEventListeners(parent.signal, 'abort')).toHaveLength(1);
  deadline.clear();
  expect(getEventListeners(parent.signal, 'abort')).toHaveLength(0);
  expect(vi.getTimerCount()).toBe(0);
  parent.abort();
  vi.advanceTimersByTime(1000);
  expect(deadline.signal.aborted).toBe(false);
});

it('calls back once when it is over, unless that was taken back, with a signal or without', () => {
  for (const isAsked of [false, true]) {
    const deadline = new Deadline(100, () => late, undefined);
    const signal = isAsked ? deadline.signal : undefined;
    const [kept, forgotten] = [vi.fn<() => void>(), vi.fn<() => void>()];
    deadline.onAbort(kept);
    deadline.onAbort(forgotten)();
    vi.advanceTimersByTime(99);
    deadline.throwIfAborted();
    expect(kept).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(() => deadline.throwIfAborted()).toThrow(late);
    expect(kept).toHaveBeenCalledOnce();
    expect(forgotten).not.toHaveBeenCalled();
    expect((signal ?? deadline.signal).reason).toBe(late);
    const later = vi.fn<() => void>();
    deadline.onAbort(later)();
    expect(later).toHaveBeenCalledOnce();
  }
});

it('gives a connect its signal, and to a copy of that nothing else', () => {
  const deadline = new Deadline(100, () => late, undefined);
  const options = deadline.connectOptions();
  const copy = { ...options };
  expect(Object.keys(copy)).toEqual(['signal']);
  const called = vi.fn<() => void>();
  options.onAbort?.(called);
  vi.advanceTimersByTime(100);
  expect(called).toHaveBeenCalledOnce();
  expect(copy.signal.reason).toBe(late);
});
