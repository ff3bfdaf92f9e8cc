import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Transport } from '../../src/interface/transport.ts';
import { memory } from '../../src/transports/memory.ts';
import { pipe } from '../../src/transports/pipe.ts';
import { tcp } from '../../src/transports/tcp.ts';
import { socketFolder } from './socket-folder.ts';

const network = memory();

/** Each creates a transport of a free endpoint. Its address is known once a host listens. */
export const endpoints: Readonly<Record<'tcp' | 'pipe' | 'memory', () => Transport>> = {
  tcp: () => tcp({ port: 0 }),
  pipe: () => pipe({ path: join(socketFolder(), 'socket') }),
  memory: () => network.transport(randomUUID()),
};

/** The names, for `describe.each`. */
export const endpointNames = ['tcp', 'pipe', 'memory'] as const;

/** A second transport to the endpoint of a host. */
export function transportAt(endpoint: string): Transport {
  const { protocol, hostname, port, pathname, host } = new URL(endpoint);
  if (protocol === 'tcp:') return tcp({ address: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port) });
  return protocol === 'unix:' ? pipe({ path: decodeURIComponent(pathname) }) : network.transport(host);
}
