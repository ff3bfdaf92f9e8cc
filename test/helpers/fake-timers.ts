import * as timers from 'node:timers/promises';
import { vi } from 'vitest';

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await timers.setImmediate();
}

// The package takes its timers from Node, so that those of a test framework have no effect. Its own tests need them.
vi.mock('../../src/interface/timers.ts', () => ({
  setTimeout: (callback: () => void, ms: number) => globalThis.setTimeout(callback, ms),
  clearTimeout: (timer: NodeJS.Timeout) => globalThis.clearTimeout(timer),
  setInterval: (callback: () => void, ms: number) => globalThis.setInterval(callback, ms),
  clearInterval: (timer: NodeJS.Timeout) => globalThis.clearInterval(timer),
  setImmediate: (callback: () => void) => globalThis.setImmediate(callback),
  now: () => performance.now(),
  turns,
  twoTurns: () => turns(2),
  async afterTwoTurns(callback: () => void): Promise<void> {
    await turns(2);
    callback();
  },
}));
