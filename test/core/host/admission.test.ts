import { describe, expect, it } from 'vitest';
import { admit } from '../../../src/core/host/admission.ts';

describe('admit', () => {
  it.each([
    // count, maxClients, releaseThreshold
    [1, 0, 0, 'dispatch'],
    [1_000_000, 0, 0, 'dispatch'],
    [1, 1, 0, 'dispatch'],
    [2, 1, 0, 'throttle'],
    [2, 3, 0, 'dispatch'],
    [3, 3, 0, 'dispatch'],
    [4, 3, 0, 'throttle'],
    [1, 0, 1, 'release'],
    [1, 0, 2, 'dispatch'],
    [2, 0, 2, 'release'],
    [3, 0, 2, 'release'],
    [1, 2, 3, 'dispatch'],
    [2, 2, 3, 'dispatch'],
    [3, 2, 3, 'release'],
    [2, 2, 2, 'release'],
    [1, 3, 2, 'dispatch'],
    [2, 1, 3, 'throttle'],
  ] as const)(
    'counts client %i with maxClients %i and releaseThreshold %i as %s',
    (count, maxClients, releaseThreshold, expected) => {
      expect(admit(count, { maxClients, releaseThreshold })).toBe(expected);
    },
  );
});
