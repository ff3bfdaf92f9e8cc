import { EventEmitter, once } from 'node:events';
import {
  fstatSync,
  lstatSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it, type Mock, onTestFinished, vi } from 'vitest';
import type { KernelMutex } from '../../../src/transports/unix/kernel-mutex.ts';
import { pipe } from '../../../src/transports/pipe.ts';
import type { Listening } from '../../../src/transports/compliance-context.ts';
import { watchFile } from '../../../src/transports/unix/listener.ts';
import { unixSocket } from '../../../src/transports/unix/socket.ts';
import { socketFolder } from '../../helpers/socket-folder.ts';
import { changes, listen, never, open, readAll } from '../../helpers/transport-compliance.ts';

const TWENTY_DAYS = 20 * 24 * 3600;

describe.skipIf(process.platform === 'win32')('UnixListener', () => {
  it('updates the times of its file when they are old', async () => {
    const path = freshPath();
    await listen(pipe({ path }));
    await waitUntilNew(path, makeOld(path));
  });

  it('updates the times of its lock file when they are old, on systems that have one', async () => {
    const path = freshPath();
    await listenWith(path, async () => () => {});
    writeFileSync(`${path}.lock`, '');
    await waitUntilNew(`${path}.lock`, makeOld(`${path}.lock`));
  });

  it('binds a new socket when its file is removed, as often as that happens', async () => {
    const path = freshPath();
    const { nextAccepted } = await listen(pipe({ path }));
    for (let round = 1; round <= 4; round++) {
      await removeAndWait(path);
      await connectAndSend(path, nextAccepted(), `round ${round}`);
      expect(lstatSync(path).mode & 0o777).toBe(0o600);
      expect(readdirSync(dirname(path))).toEqual(['socket']);
    }
  });

  it('has the descriptor of its socket, which is another one after the file was removed', async () => {
    const path = freshPath();
    const { listener } = await listen(pipe({ path }));
    expect(fstatSync(Number(listener.descriptor)).isSocket()).toBe(true);
    const { descriptor } = listener;
    await removeAndWait(path);
    expect(fstatSync(Number(listener.descriptor)).isSocket()).toBe(true);
    expect(listener.descriptor).not.toBe(descriptor);
    await listener.close();
    expect(listener.descriptor).toBeUndefined();
  });

  it('creates the directory of a name again', async () => {
    const directory = socketFolder();
    const transport = pipe({ name: 'app', directory });
    const { nextAccepted } = await listen(transport);
    const path = transport.endpoint.replace('unix://', '');
    for (const removed of [dirname(path), path]) {
      const { ino } = statSync(path);
      rmSync(removed, { recursive: true });
      await vi.waitUntil(() => isNewFile(path, ino), { timeout: 60_000 });
    }
    expect(statSync(dirname(path)).mode & 0o777).toBe(0o700);
    const accepted = nextAccepted();
    await open(transport);
    await accepted;
  });

  it('keeps connections that were accepted, and those in the queue of the removed socket', async () => {
    const path = freshPath();
    const { nextAccepted } = await listen(pipe({ path }));
    const accepted = nextAccepted();
    const client = await open(pipe({ path }));
    const host = await accepted;
    const queued = nextAccepted();
    const late = pipe({ path }).connect({ signal: never() });
    unlinkSync(path);
    (await late)?.end('in the queue');
    expect(String(await readAll(await queued))).toBe('in the queue');
    await vi.waitUntil(() => statSync(path, { throwIfNoEntry: false }), { timeout: 60_000 });
    client.end('still here');
    expect(String(await readAll(host))).toBe('still here');
  });

  it('unlocks the mutex that it holds and locks it again', async () => {
    const path = freshPath();
    const calls: string[] = [];
    const { listener } = await listenWith(path, async () => {
      calls.push('lock');
      return () => calls.push('unlock');
    });
    await removeAndWait(path);
    await listener.close();
    expect(calls).toEqual(['lock', 'unlock', 'lock', 'unlock']);
  });

  it('keeps the process alive, or not, as before', async () => {
    const path = freshPath();
    const { listener } = await listen(pipe({ path }));
    listener.unref();
    await removeAndWait(path);
    // The old socket and the new one.
    expect(changes(listener, 'PipeWrap', ['unref', 'ref', 'unref'])).toEqual([0, 2, 0]);
  });

  it('frees the path when it is closed while it binds a new socket', async () => {
    const path = freshPath();
    const { close, onLost, paused, finish } = await hostThatPauses(path);
    unlinkSync(path);
    await paused;
    const closed = close();
    finish();
    await closed;
    expect(readdirSync(dirname(path))).toEqual([]);
    expect(onLost).not.toHaveBeenCalled();
    await listen(pipe({ path }));
  });

  it('reports the endpoint as lost when another process binds the path first', async () => {
    const path = freshPath();
    const { onLost, paused, finish } = await hostThatPauses(path);
    unlinkSync(path);
    await paused;
    await listen(pipe({ path }));
    finish();
    await vi.waitUntil(() => onLost.mock.calls.length > 0, { timeout: 60_000 });
    expect(onLost).toHaveBeenCalledOnce();
    await open(pipe({ path }));
  });

  it('reports the endpoint as lost, with the reason as a warning, when the path cannot be bound again', async () => {
    const path = freshPath();
    const [onLost, onWarning] = [vi.fn<() => void>(), vi.fn<(warning: Error) => void>()];
    await listen(pipe({ path }), { onLost, onWarning });
    renameSync(dirname(path), `${dirname(path)}-moved`);
    onTestFinished(() => rmSync(`${dirname(path)}-moved`, { recursive: true }));
    await vi.waitUntil(() => onLost.mock.calls.length > 0, { timeout: 60_000 });
    expect(onWarning.mock.calls).toMatchObject([[{ code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE' }]]);
    expect(onLost).toHaveBeenCalledOnce();
  });
});

describe('watchFile()', () => {
  it('polls the file until close() on a system that reports no changes', () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    const look = vi.fn<() => void>();
    // There is no such directory to watch.
    const watch = watchFile(join(socketFolder(), 'missing', 'socket'), look);
    vi.advanceTimersByTime(4999);
    expect(look).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(look).toHaveBeenCalledOnce();
    vi.advanceTimersByTime(5000);
    expect(look).toHaveBeenCalledTimes(2);
    watch.close();
    vi.advanceTimersByTime(60_000);
    expect(look).toHaveBeenCalledTimes(2);
  });

  it('does not keep the process alive', () => {
    const before = process.getActiveResourcesInfo();
    const watch = watchFile(join(socketFolder(), 'socket'), () => {});
    onTestFinished(() => watch.close());
    expect(process.getActiveResourcesInfo()).toEqual(before);
  });
});

function freshPath(): string {
  return join(socketFolder(), 'socket');
}

/** Returns the time that it set, in milliseconds. */
function makeOld(path: string): number {
  const time = Math.floor(Date.now() / 1000) - TWENTY_DAYS;
  utimesSync(path, time, time);
  return time * 1000;
}

async function waitUntilNew(path: string, old: number): Promise<void> {
  await vi.waitUntil(() => statSync(path).mtimeMs > old && statSync(path).atimeMs > old, { timeout: 60_000 });
}

async function removeAndWait(path: string): Promise<void> {
  const { ino } = statSync(path);
  unlinkSync(path);
  await vi.waitUntil(() => isNewFile(path, ino), { timeout: 60_000 });
  await vi.waitUntil(() => readdirSync(dirname(path)).length === 1, { timeout: 60_000 });
}

function isNewFile(path: string, ino: number): boolean {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats !== undefined && stats.ino !== ino;
}

async function connectAndSend(
  path: string,
  accepted: ReturnType<Listening['nextAccepted']>,
  text: string,
): Promise<void> {
  (await open(pipe({ path }))).end(text);
  expect(String(await readAll(await accepted))).toBe(text);
}

/** A host that waits for `finish` before it links its next socket to the path. */
async function hostThatPauses(path: string): Promise<{
  close: () => Promise<void>;
  onLost: Mock<() => void>;
  paused: Promise<void>;
  finish: () => void;
}> {
  const events = new EventEmitter<{ paused: []; finish: [] }>();
  const paused = new Promise<void>((resolve) => events.once('paused', resolve));
  let locks = 0;
  const { listener, onLost } = await listenWith(path, async () => {
    locks += 1;
    if (locks > 1) {
      events.emit('paused');
      await once(events, 'finish');
    }
    return () => {};
  });
  return { close: () => listener.close(), onLost, paused, finish: () => void events.emit('finish') };
}

/** Listens with a mutex that the host holds as long as it has the path. */
async function listenWith(
  path: string,
  tryLock: KernelMutex['tryLock'],
): Promise<Listening & { onLost: Mock<() => void> }> {
  const directory = { path: dirname(path), uid: process.geteuid?.(), forbidden: 0o022, isOurs: false };
  const onLost = vi.fn<() => void>();
  const transport = unixSocket({ kind: 'socket-file', path, directory }, { heldForProcessLifetime: true, tryLock });
  return { ...(await listen(transport, { onLost })), onLost };
}
