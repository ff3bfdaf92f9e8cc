import { once } from 'node:events';
import { linkSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** A directory of this user alone, which goes when the test is over. */
export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'socket-singleton-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Leaves at `path` what a host that crashed leaves: a socket on which nobody listens. */
export async function leaveStale(path: string): Promise<void> {
  const server = createServer();
  // Its own name goes with it; the second one stays.
  const own = join(folder(), 'socket');
  server.listen(own);
  await once(server, 'listening');
  linkSync(own, path);
  server.close();
  await once(server, 'close');
}
