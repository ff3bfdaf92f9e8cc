import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { linkSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { pipe } from '../../src/transports/pipe.ts';

/** A directory of this user alone, removed when the test ends. */
export function socketFolder(): string {
  const path = mkdtempSync(join(tmpdir(), 'socket-singleton-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Creates at `path` what a crashed host leaves: a socket without a listener. */
export async function createStaleSocket(path: string): Promise<void> {
  const server = createServer();
  // close() removes the first name only.
  const own = join(socketFolder(), 'socket');
  server.listen(own);
  await once(server, 'listening');
  linkSync(own, path);
  server.close();
  await once(server, 'close');
}

/** A name for pipe(), whose directory is removed when the test ends. */
export function pipeName(word: string): string {
  const name = `${word}.${process.pid}.${randomUUID().slice(0, 8)}`;
  const { endpoint } = pipe({ name });
  onTestFinished(() => rmSync(dirname(endpoint.replace('unix://', '')), { recursive: true, force: true }));
  return name;
}
