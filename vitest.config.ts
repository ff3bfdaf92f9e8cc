import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** One seed for all properties of a run. */
const seed = process.env['FC_SEED'] ?? String(Math.trunc(Math.random() * 2 ** 31));
console.log(`Properties run with seed ${seed}; to replay: FC_SEED=${seed} npm run test:property`);

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/property/seed.ts'],
    env: { FC_SEED: seed },
    testTimeout: 20_000,
    // One more: who waits for processes leaves a core idle.
    maxWorkers: availableParallelism() + 1,
    coverage: {
      include: ['src/**'],
      thresholds: { lines: 95, branches: 90 },
    },
  },
});
