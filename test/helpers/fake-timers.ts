import { setImmediate as turn } from 'node:timers/promises';
import { vi } from 'vitest';

// The package takes its timers from Node, so that those of a test framework have no effect. Its own tests need them.
vi.mock('../../src/interface/timers.ts', () => ({
  setTimeout: (...args: Parameters<typeof setTimeout>) => globalThis.setTimeout(...args),
  clearTimeout: (...args: Parameters<typeof clearTimeout>) => globalThis.clearTimeout(...args),
  setImmediate: (...args: Parameters<typeof setImmediate>) => globalThis.setImmediate(...args),
  twoTurns: async () => {
    await turn();
    await turn();
  },
}));
