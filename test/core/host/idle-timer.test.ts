import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { IdleTimer } from '../../../src/core/host/idle-timer.ts';

describe('IdleTimer', () => {
  let isIdle = true;
  let expired = 0;
  const timerOf = (ms: number): IdleTimer =>
    new IdleTimer(
      ms,
      () => isIdle,
      () => (expired += 1),
    );

  beforeEach(() => {
    vi.useFakeTimers();
    isIdle = true;
    expired = 0;
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('expires once, after its time', () => {
    timerOf(100).start();
    vi.advanceTimersByTime(99);
    expect(expired).toBe(0);
    vi.advanceTimersByTime(1);
    expect(expired).toBe(1);
    vi.advanceTimersByTime(1000);
    expect([expired, vi.getTimerCount()]).toEqual([1, 0]);
  });

  it('begins anew with each activity', () => {
    const timer = timerOf(100);
    timer.start();
    for (let count = 0; count < 5; count += 1) {
      vi.advanceTimersByTime(60);
      timer.touch();
    }
    vi.advanceTimersByTime(99);
    expect(expired).toBe(0);
    vi.advanceTimersByTime(1);
    expect(expired).toBe(1);
  });

  it('does not expire while there is work, and counts its time from the end of it', () => {
    const timer = timerOf(100);
    timer.start();
    isIdle = false;
    vi.advanceTimersByTime(1050);
    isIdle = true;
    timer.touch();
    vi.advanceTimersByTime(99);
    expect(expired).toBe(0);
    vi.advanceTimersByTime(1);
    expect(expired).toBe(1);
  });

  it('never expires with 0, or after it was stopped', () => {
    timerOf(0).start();
    const stopped = timerOf(100);
    stopped.start();
    stopped.stop();
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(1000);
    expect(expired).toBe(0);
  });
});
