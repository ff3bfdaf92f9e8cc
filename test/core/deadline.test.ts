import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Deadline, followSignal, LazyAbortController } from '../../src/core/deadline.ts';
import { SingletonError } from '../../src/interface/errors.ts';
import { type AbortableOptions, onAbort } from '../../src/interface/transport.ts';
import { twoTurns } from '../../src/interface/timers.ts';

const late = new SingletonError('ERR_SINGLETON_HOST_UNRESPONSIVE', 'Too late.');

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});

afterEach(() => {
  vi.useRealTimers();
});

/** Time, and then the two turns in which a deadline lets what has arrived be read. */
async function pass(milliseconds: number): Promise<void> {
  vi.advanceTimersByTime(milliseconds);
  await twoTurns();
}

it.each([100, 105, 7])('aborts after its time of %i ms and not a millisecond before', async (ms) => {
  const { signal } = new Deadline(ms, () => late, new LazyAbortController());
  await pass(ms - 1);
  expect(signal.aborted).toBe(false);
  await pass(1);
  expect(signal.aborted).toBe(true);
  expect(signal.reason).toBe(late);
});

it('asks for the reason when the time is over, not before', async () => {
  const expired = vi.fn<() => SingletonError>(() => late);
  const deadline = new Deadline(100, expired, new LazyAbortController());
  await pass(99);
  expect(expired).not.toHaveBeenCalled();
  await pass(1);
  expect(expired).toHaveBeenCalledOnce();
  deadline.clear();
});

it('does not abort when it is cleared in the two turns in which what has arrived is read', async () => {
  const deadline = new Deadline(100, () => late, new LazyAbortController());
  vi.advanceTimersByTime(100);
  expect(deadline.reason).toBeUndefined();
  deadline.clear();
  await twoTurns();
  expect(deadline.reason).toBeUndefined();
});

it('counts a tenth of its time at most for a timer that fires late, since the process did not run then', async () => {
  const deadline = new Deadline(100, () => late, new LazyAbortController());
  for (let parts = 0; parts < 9; parts += 1) {
    // However late it is.
    vi.runOnlyPendingTimers();
    await twoTurns();
    expect(deadline.reason).toBeUndefined();
  }
  vi.runOnlyPendingTimers();
  await twoTurns();
  expect(deadline.reason).toBe(late);
});

it('pauses between two attempts', async () => {
  const deadline = new Deadline(10_000, () => late, new LazyAbortController());
  const resumed = vi.fn<() => void>();
  void deadline.backoff().then(resumed);
  await vi.advanceTimersByTimeAsync(4);
  expect(resumed).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(40);
  expect(resumed).toHaveBeenCalledOnce();
  deadline.clear();
});

it('pauses for no more than half of the time that is left, however many resets there were', async () => {
  const random = vi.spyOn(Math, 'random').mockReturnValue(1);
  const deadline = new Deadline(600, () => late, new LazyAbortController());
  const resumed = vi.fn<() => void>();
  void deadline.backoff(10).then(resumed);
  await vi.advanceTimersByTimeAsync(301);
  expect(resumed).toHaveBeenCalledOnce();
  deadline.clear();
  random.mockRestore();
});

it('pauses until it expires if the next attempt would be cut short', async () => {
  const deadline = new Deadline(9, () => late, new LazyAbortController());
  const failed = vi.fn<(reason: unknown) => void>();
  deadline.backoff().catch(failed);
  await pass(8);
  expect(failed).not.toHaveBeenCalled();
  await pass(1);
  expect(failed).toHaveBeenCalledExactlyOnceWith(late);
});

it('ends a pause as soon as the parent aborts', async () => {
  const parent = new LazyAbortController();
  const deadline = new Deadline(10_000, () => late, parent);
  const pausing = deadline.backoff(10);
  parent.abort(late);
  await expect(pausing).rejects.toBe(late);
  deadline.clear();
  expect(vi.getTimerCount()).toBe(0);
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

it('keeps its first reason', async () => {
  const parent = new LazyAbortController();
  const { signal } = new Deadline(100, () => late, parent);
  await pass(100);
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

  it('has RELEASED for a SingletonError too, whose code might say that the launch was not dispatched', () => {
    const controller = new LazyAbortController();
    followSignal(controller, AbortSignal.abort(late));
    expect(controller.reason).toMatchObject({ code: 'ERR_SINGLETON_RELEASED', cause: late });
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

it('calls back once when it is over, unless that was taken back, with a signal or without', async () => {
  for (const isAsked of [false, true]) {
    const deadline = new Deadline(100, () => late, new LazyAbortController());
    const signal = isAsked ? deadline.signal : undefined;
    const [kept, forgotten] = [vi.fn<() => void>(), vi.fn<() => void>()];
    deadline.onAbort(kept);
    deadline.onAbort(forgotten)();
    await pass(99);
    deadline.throwIfAborted();
    expect(kept).not.toHaveBeenCalled();
    await pass(1);
    expect(() => deadline.throwIfAborted()).toThrow(late);
    expect(kept).toHaveBeenCalledOnce();
    expect(forgotten).not.toHaveBeenCalled();
    expect((signal ?? deadline.signal).reason).toBe(late);
    const later = vi.fn<() => void>();
    deadline.onAbort(later)();
    expect(later).toHaveBeenCalledOnce();
  }
});

it('gives an attempt its signal, and to a copy of the options no more than that and onRetry', async () => {
  const deadline = new Deadline(100, () => late, new LazyAbortController());
  const options = deadline.attemptOptions({});
  const copy = { ...options };
  expect(Object.keys(copy)).toEqual(['onRetry', 'signal']);
  const called = vi.fn<() => void>();
  expect(onAbort in copy).toBe(false);
  (options as AbortableOptions)[onAbort]?.(called);
  await pass(100);
  expect(called).toHaveBeenCalledOnce();
  expect(copy.signal.reason).toBe(late);
});

it('passes the last failure that a transport has tried again to the error', async () => {
  const causes: unknown[] = [];
  const deadline = new Deadline(100, (cause) => (causes.push(cause), late), new LazyAbortController());
  const { onRetry } = deadline.attemptOptions({});
  const last = new Error('refused');
  onRetry?.(new Error('unreachable'));
  onRetry?.(last);
  await pass(100);
  expect(causes).toEqual([last]);
});
