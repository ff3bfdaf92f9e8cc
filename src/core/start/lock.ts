import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Transport } from '../../interface/transport.ts';
import { namedPipe } from '../../transports/pipe.ts';
import { kernelMutex } from '../../transports/unix/kernel-mutex.ts';
import { resolvePath, thisSystem } from '../../transports/unix/path.ts';
import { unixSocket } from '../../transports/unix/socket.ts';

/** What processes of one user share that find no host at an endpoint. */
export interface StartLock {
  /** The process that binds it starts the host. The system frees it if that process ends. */
  readonly transport: Transport;
  /** The file for the stderr of the host, which no other user can write to. */
  readonly log: string;
}

export function startLock(endpoint: string): StartLock {
  const id = createHash('sha256').update(endpoint).digest('hex').slice(0, 16);
  const resolved = resolvePath({ name: 'socket-singleton' }, thisSystem());
  if (resolved.kind === 'named-pipe') {
    return { transport: namedPipe(`${resolved.path}-${id}`), log: join(tmpdir(), `socket-singleton-${id}.log`) };
  }
  const path = join(dirname(resolved.path), id);
  return { transport: unixSocket({ ...resolved, path }, kernelMutex(process.platform)), log: `${path}.log` };
}
