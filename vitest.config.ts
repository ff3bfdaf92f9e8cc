import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/property/seed.ts'],
    testTimeout: 20_000,
    coverage: {
      include: ['src/**'],
      thresholds: { lines: 95, branches: 90 },
    },
  },
});
