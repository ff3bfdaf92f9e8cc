import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** One seed for all properties of a run. */
const seed = process.env['FC_SEED'] ?? String(Math.trunc(Math.random() * 2 ** 31));
console.log(`Properties run with seed ${seed}; to replay: FC_SEED=${seed} npm run test:property`);

/** They neither replace modules nor count what is open in their process. */
const shared = 'test/{cli,docs,interface,process,property,protocol,types}/**/*.test.ts';

export default defineConfig({
  test: {
    setupFiles: ['test/property/seed.ts', 'test/helpers/fake-timers.ts'],
    env: { FC_SEED: seed },
    // No machine is that slow: only a test that hangs fails by its time.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // One more than the cores: a worker that waits for processes leaves its core idle.
    maxWorkers: availableParallelism() + 1,
    coverage: {
      include: ['src/**'],
      thresholds: { lines: 95, branches: 90 },
    },
    // A worker for each file costs half a second of a core.
    projects: [
      { extends: true, test: { name: 'shared', include: [shared], isolate: false } },
      { extends: true, test: { name: 'isolated', include: ['test/**/*.test.ts'], exclude: [shared] } },
    ],
  },
});
