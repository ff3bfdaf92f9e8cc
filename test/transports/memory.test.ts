import { describe } from 'vitest';
import { memory } from '../../src/transports/memory.ts';
import { testTransport } from './compliance.ts';

describe.each([0, 1])('with a latency of %d ms', (latency) => {
  testTransport({
    create() {
      const network = memory({ latency });
      return [network.transport('a place'), network.transport('a place')];
    },
    abilities: { reset: true },
  });
});
