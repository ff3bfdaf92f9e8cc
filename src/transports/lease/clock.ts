import { now } from '../../interface/timers.ts';

/** What a lease reads the time from. */
export interface Clock {
  /** Milliseconds that only grow, and that go on while the machine sleeps. */
  now(): number;
  /** Milliseconds since 1970, which a person or a time server may set. */
  wall(): number;
}

/**
 * The clock of this process. On Linux the monotonic clock stands still while the machine sleeps, but the uptime of the system goes on.
 * The uptime has a resolution of 10 ms (1 s in some containers), so only what it gains on the monotonic clock is added.
 */
export function systemClock(): Clock {
  let slept = -Infinity;
  return {
    now() {
      const running = now();
      slept = Math.max(slept, uptime() - running);
      return running + slept;
    },
    wall: () => Date.now(),
  };
}

const os: typeof import('node:os') = process.getBuiltinModule('node:os');

/** Milliseconds since the system was started. On other systems than Linux, the monotonic clock itself counts a sleep. */
function uptime(): number {
  return process.platform === 'linux' ? os.uptime() * 1000 : now();
}
