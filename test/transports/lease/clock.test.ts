import os from 'node:os';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../../src/transports/lease/clock.ts';

const time = { running: 5, up: 1000 };

describe('systemClock', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  test('has the time on the wall', () => {
    vi.spyOn(Date, 'now').mockReturnValue(7);
    expect(systemClock().wall()).toBe(7);
  });

  test.runIf(process.platform === 'linux')('goes on while the machine sleeps', () => {
    const elapsed = started();
    move({ running: 2, up: 2 });
    expect(elapsed()).toBeCloseTo(2000);
    move({ running: 0, up: 60 });
    expect(elapsed()).toBeCloseTo(62_000);
  });

  test.runIf(process.platform === 'linux')('is exact, and never goes back, if the uptime has whole seconds', () => {
    const elapsed = started();
    const seen = Array.from({ length: 30 }, () => {
      move({ running: 0.1, up: 0.1 });
      return elapsed();
    });
    expect(seen).toEqual(Array.from(seen, (_, index) => expect.closeTo((index + 1) * 100)));
  });
});

/** Milliseconds on a clock since now. */
function started(): () => number {
  Object.assign(time, { running: 5, up: 1000 });
  vi.spyOn(performance, 'now').mockImplementation(() => time.running * 1000);
  vi.spyOn(os, 'uptime').mockImplementation(() => Math.floor(time.up + 1e-6));
  const clock = systemClock();
  const begun = clock.now();
  return () => clock.now() - begun;
}

function move({ running, up }: { running: number; up: number }): void {
  time.running += running;
  time.up += up;
}
