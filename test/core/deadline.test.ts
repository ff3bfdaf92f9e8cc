import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Deadline, followSignal, LazyAbortController } from '../../src/core/deadline.ts';
import { SingletonError } from '../../src/interface/errors.ts';
import { type AbortableOptions, onAbort } from '../../src/interface/transport.ts';

const late = new SingletonError('ERR_SINGLETON_HOST_UNRESPONSIVE', 'Too late.');

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});

afterEach(() => {
  vi.useRealTimers();
});

it('aborts after its time and not a millisecond before', () => {
  const { signal } = new Deadline(100, () => late, new LazyAbortController());
  vi.advanceTimersByTime(99);
  expect(signal.aborted).toBe(false);
  vi.advanceTimersByTime(1);
  expect(signal.aborted).toBe(true);
  expect(signal.reason).toBe(late);
});

it('asks for the reason when the time is over, not before', () => {
  const expired = vi.fn<() => SingletonError>(() => late);
  const deadline = new Deadline(100, expired, new LazyAbortController());
  vi.advanceTimersByTime(99);
  expect(expired).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(expired).toHaveBeenCalledOnce();
  deadline.clear();
});

it('pauses between two tries', async () => {
  const deadline = new Deadline(10_000, () => late, new LazyAbortController());
  const resumed = vi.fn<(isInTime: boolean) => void>();
  void deadline.backoff().then(resumed);
  await vi.advanceTimersByTimeAsync(4);
  expect(resumed).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(40);
  expect(resumed).toHaveBeenCalledExactlyOnceWith(true);
  deadline.clear();
});

it('does not pause where the next try would be cut short', async () => {
  const deadline = new Deadline(9, () => late, new LazyAbortController());
  expect(await deadline.backoff()).toBe(false);
  deadline.clear();
});

it('aborts as soon as the parent does, with the same reason', () => {
  const parent = new LazyAbortController();
  const { signal } = new Deadline(100, () => late, parent);
  const reason = new SingletonError('ERR_SINGLETON_RELEASED', 'Released.');
  parent.abort(reason);
  expect(signal.reason).toBe(reason);
});

it('is aborted from the start if the parent is', () => {
  const parent = new LazyAbortController();
  parent.abort(late);
  expect(new Deadline(100, () => late, parent).signal.reason).toBe(late);
});

it('keeps its first reason', () => {
  const parent = new LazyAbortController();
  const { signal } = new Deadline(100, () => late, parent);
  vi.advanceTimersByTime(100);
  parent.abort(new SingletonError('ERR_SINGLETON_RELEASED', 'Released.'));
  expect(signal.reason).toBe(late);
});

it('is aborted by neither the time nor the parent once it is cleared', () => {
  const parent = new LazyAbortController();
  const deadline = new Deadline(100, () => late, parent);
  deadline.clear();
  expect(vi.getTimerCount()).toBe(0);
  parent.abort(late);
  vi.advanceTimersByTime(1000);
  expect(deadline.signal.aborted).toBe(false);
});

describe('followSignal', () => {
  it('aborts with RELEASED and the reason of the signal as the cause', () => {
    const [controller, user] = [new LazyAbortController(), new AbortController()];
    followSignal(controller, user.signal);
    user.abort('enough');
    expect(controller.reason).toBeInstanceOf(SingletonError);
    expect(controller.reason).toMatchObject({ code: 'ERR_SINGLETON_RELEASED', cause: 'enough' });
  });

  it('aborts at once if the signal is aborted', () => {
    const [controller, reason] = [new LazyAbortController(), new Error('enough')];
    followSignal(controller, AbortSignal.abort(reason));
    expect(controller.reason).toMatchObject({ code: 'ERR_SINGLETON_RELEASED', cause: reason });
  });

  it('passes on a reason that is a SingletonError', () => {
    const controller = new LazyAbortController();
    followSignal(controller, AbortSignal.abort(late));
    expect(controller.reason).toBe(late);
  });

  it('leaves no listener on the signal when it is stopped', () => {
    const [controller, user] = [new LazyAbortController(), new AbortController()];
    const unfollow = followSignal(controller, user.signal);
    expect(getEventListeners(user.signal, 'abort')).toHaveLength(1);
    unfollow();
    expect(getEventListeners(user.signal, 'abort')).toHaveLength(0);
    user.abort();
    expect(controller.reason).toBeUndefined();
  });
});

it('calls back once when it is over, unless that was taken back, with a signal or without', () => {
  for (const isAsked of [false, true]) {
    const deadline = new Deadline(100, () => late, new LazyAbortController());
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
  const deadline = new Deadline(100, () => late, new LazyAbortController());
  const options = deadline.connectOptions();
  const copy = { ...options };
  expect(Object.keys(copy)).toEqual(['signal']);
  const called = vi.fn<() => void>();
  expect(onAbort in copy).toBe(false);
  (options as AbortableOptions)[onAbort]?.(called);
  vi.advanceTimersByTime(100);
  expect(called).toHaveBeenCalledOnce();
  expect(copy.signal.reason).toBe(late);
});
