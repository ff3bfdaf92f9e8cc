/**
 * The timers of Node, which test frameworks do not replace: with the global ones, fake timers of a program's tests would stop
 * deadlines. An import of node:timers would load more of Node than a launch needs.
 */
const timers: typeof import('node:timers') = process.getBuiltinModule('node:timers');

export const setTimeout: typeof timers.setTimeout = timers.setTimeout;
export const clearTimeout: typeof timers.clearTimeout = timers.clearTimeout;
export const setInterval: typeof timers.setInterval = timers.setInterval;
export const clearInterval: typeof timers.clearInterval = timers.clearInterval;
export const setImmediate: typeof timers.setImmediate = timers.setImmediate;

/** Milliseconds on a monotonic clock. `performance.now()` is the same, but loads a part of Node that every launch would pay for. */
export function now(): number {
  return process.uptime() * 1000;
}

/** Calls back after so many turns of the event loop. */
function afterTurns(count: number, callback: () => void): void {
  setImmediate(() => (count === 1 ? callback() : afterTurns(count - 1, callback)));
}

/** Resolves after so many turns of the event loop. */
export function turns(count: number): Promise<void> {
  return new Promise((resolve) => afterTurns(count, resolve));
}

/**
 * Calls back when everything that has arrived by now was read. That takes two turns: in the first one, "immediate" callbacks may
 * run without a look at the connections.
 */
export function afterTwoTurns(callback: () => void): void {
  afterTurns(2, callback);
}

/** As `afterTwoTurns`, with a promise. */
export function twoTurns(): Promise<void> {
  return new Promise(afterTwoTurns);
}
