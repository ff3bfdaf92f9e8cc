import { setImmediate } from 'node:timers/promises';
import { vi } from 'vitest';
import type { Clock } from '../../src/transports/lease/clock.ts';

/** A clock of one machine, on the fake timers of the test. */
export interface TestClock extends Clock {
  /** The machine sleeps: its clock goes on, and its timers do not. */
  sleep(ms: number): void;
  /** A person sets the clock on the wall. */
  setWall(ms: number): void;
}

/** Fake timers. What arrives over sockets still does. */
export function useFakeTimers(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] });
}

export function testClock(): TestClock {
  let slept = 0;
  let set = 0;
  return {
    now: () => performance.now() + slept,
    wall: () => performance.now() + slept + set,
    sleep: (ms) => void (slept += ms),
    setWall: (ms) => void (set += ms),
  };
}

/** Lets the time pass, and everything happen that follows from it without a socket. */
export async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
  for (let turn = 0; turn < 3; turn += 1) await setImmediate();
}

/** Lets the time pass until the promise settles. */
export async function passUntil<T>(promise: Promise<T>): Promise<T> {
  const state = { isSettled: false };
  const settle = (): void => void (state.isSettled = true);
  promise.then(settle, settle);
  while (!state.isSettled) await pass(50);
  return promise;
}
