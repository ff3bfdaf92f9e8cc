import { expect, it } from 'vitest';
import { admit } from '../../../src/core/host/host.ts';

it.each([
  // count, maxClients, releaseThreshold
  [1, 0, 0, 'publish'],
  [1_000_000, 0, 0, 'publish'],
  [1, 1, 0, 'publish'],
  [2, 1, 0, 'throttle'],
  [2, 3, 0, 'publish'],
  [3, 3, 0, 'publish'],
  [4, 3, 0, 'throttle'],
  [1, 0, 1, 'release'],
  [1, 0, 2, 'publish'],
  [2, 0, 2, 'release'],
  [3, 0, 2, 'release'],
  [1, 2, 3, 'publish'],
  [2, 2, 3, 'publish'],
  [3, 2, 3, 'release'],
  [2, 2, 2, 'release'],
  [1, 3, 2, 'publish'],
  [2, 1, 3, 'throttle'],
] as const)(
  'client %i with maxClients %i and releaseThreshold %i: %s',
  (count, maxClients, releaseThreshold, expected) => {
    expect(admit(count, { maxClients, releaseThreshold })).toBe(expected);
  },
);
