import * as timers from 'node:timers/promises';
import { vi } from 'vitest';

// The package takes its timers from Node, so that those of a test framework have no effect. Its own tests need them.
vi.mock('../../src/interface/timers.ts', () => ({
  setTimeout: (callback: () => void, ms: number) => globalThis.setTimeout(callback, ms),
  clearTimeout: (timer: NodeJS.Timeout) => globalThis.clearTimeout(timer),
  setImmediate: (callback: () => void) => globalThis.setImmediate(callback),
  twoTurns: async () => {
    await timers.setImmediate();
    await timers.setImmediate();
  },
}));
