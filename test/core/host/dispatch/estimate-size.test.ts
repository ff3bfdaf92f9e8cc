import { describe, expect, it } from 'vitest';
import { estimateSize } from '../../../../src/core/host/dispatch/queue.ts';

describe('estimateSize', () => {
  it('counts every value, the characters of strings and the bytes of binaries', () => {
    expect(estimateSize(1, 1000)).toBe(16);
    expect(estimateSize('abc', 1000)).toBe(19);
    expect(estimateSize(new Uint8Array(100), 1000)).toBe(116);
    expect(estimateSize({ a: [1, 'b'], c: null }, 1000)).toBe(5 * 16 + 1);
  });

  it('counts a list of any length, and what has a getter that throws', () => {
    expect(
      estimateSize(
        Array.from({ length: 300_000 }, () => 1),
        Infinity,
      ),
    ).toBe(300_001 * 16);
    const broken = Object.defineProperty({}, 'x', {
      enumerable: true,
      get: () => {
        throw new Error('boom');
      },
    });
    expect(estimateSize([broken, 'abc'], Infinity)).toBe(3 * 16 + 3);
  });

  it('stops at its limit, also for a value with a cycle', () => {
    const cycle: unknown[] = [];
    cycle.push(cycle, cycle);
    expect(estimateSize(cycle, 10_000)).toBeGreaterThan(10_000);
    expect(estimateSize(cycle, 10_000)).toBeLessThan(10_100);
  });
});
