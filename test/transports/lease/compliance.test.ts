import { describe } from 'vitest';
import type { Transport } from '../../../src/interface/transport.ts';
import { lease } from '../../../src/transports/lease.ts';
import { memoryLeaseStore, MemoryLeaseServer } from '../../helpers/memory-lease-store.ts';
import { testTransport } from '../../helpers/transport-compliance.ts';

const capabilities = {
  reset: true,
  resources: { listener: 'TCPServerWrap', connection: 'TCPSocketWrap' },
  watch: true,
};

describe.each(['127.0.0.1', '::1'])('lease() at a free port of %s', (address) => {
  testTransport({ create: () => pairAt(address), capabilities });
});

function pairAt(address: string): readonly [Transport, Transport] {
  const server = new MemoryLeaseServer(() => performance.now());
  const create = (): Transport => lease({ store: memoryLeaseStore({ server }), advertise: { address } });
  return [create(), create()];
}
