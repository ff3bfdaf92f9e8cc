import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Transport } from '../../src/interface/transport.ts';
import { kernelMutex } from '../../src/transports/kernel-mutex.ts';
import { namedPipe, pipe } from '../../src/transports/pipe.ts';
import { unixSocket } from '../../src/transports/unix-socket.ts';
import { folder, leaveStale } from '../helpers/socket-folder.ts';
import { listen, never, open, options, testTransport, unexpected } from '../helpers/transport-compliance.ts';

const isWindows = process.platform === 'win32';
const isLinux = process.platform === 'linux';
const isRoot = process.getuid?.() === 0;
if (!isRoot) console.warn('NOT TESTED, for want of root: sockets and directories of another user.');

const abilities = { reset: true, resources: { listener: 'PipeWrap', connection: 'PipeWrap' } };

describe('pipe()', () => {
  testTransport({ create: () => twoAt(freshPath()), abilities });
});

describe('a pipe that the system frees', () => {
  testTransport({ create: twoThatAreFreed, abilities });
});

describe.skipIf(isWindows)('a Unix socket', () => {
  describe('whose host keeps the mutex', () => {
    testTransport({ create: twoThatHoldOn, abilities });

    test('is cleared when its host is gone, and not while the mutex is held', async () => {
      const [transport] = twoThatHoldOn();
      const path = transport.endpoint.replace('unix://', '');
      await leaveStale(path);
      const release = await kernelMutex(process.platform).tryHold(path);
      expect(await transport.listen(unexpected, options())).toBeUndefined();
      release?.();
      await listen(transport);
    });
  });

  test('can be used by no one else, and leaves nothing behind', async () => {
    const path = freshPath();
    const { listener } = await listen(pipe({ path }));
    expect(lstatSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(path, '..'))).toEqual(['socket']);
    await listener.close();
    expect(readdirSync(join(path, '..'))).toEqual([]);
  });

  test('tells a client that has gone from one that has ended', async () => {
    const path = freshPath();
    const { nextAccepted } = await listen(pipe({ path }));
    for (const isPeerGone of [false, true]) {
      const accepted = nextAccepted();
      const client = await open(pipe({ path }));
      const host = await accepted;
      const ended = once(host.resume(), 'end');
      client.end('all');
      await once(client, 'finish');
      if (isPeerGone) client.destroy();
      await ended;
      if (isPeerGone && !client.closed) await once(client, 'close');
      expect(host.isPeerGone?.()).toBe(isPeerGone);
    }
  });

  describe('that a crashed host left', () => {
    test('is cleared by who listens, and leaves nothing behind', async () => {
      const path = freshPath();
      await leaveStale(path);
      const { listener } = await listen(pipe({ path }));
      await open(pipe({ path }));
      const release = await kernelMutex(process.platform).tryHold(path);
      expect(release).toBeDefined();
      release?.();
      await listener.close();
      expect(readdirSync(join(path, '..'))).toEqual([]);
    });

    test('is taken for a launch that connects, until that finds nobody', async () => {
      const path = freshPath();
      await leaveStale(path);
      const transport = pipe({ path });
      expect(await transport.listen(unexpected, { ...options(), skipProbe: true })).toBeUndefined();
      expect(await transport.connect({ signal: never() })).toBeUndefined();
      await listen(transport, { skipProbe: true });
    });

    test('goes to one of many', async () => {
      const path = freshPath();
      await leaveStale(path);
      const tries = Array.from({ length: 10 }, () => pipe({ path }).listen(leave, options()));
      const got = (await Promise.all(tries)).filter((listener) => listener !== undefined);
      expect(readdirSync(join(path, '..'))).toEqual(['socket']);
      for (const listener of got) await listener.close();
      expect(got).toHaveLength(1);
    });

    test.runIf(isLinux)('is left to who has the mutex', async () => {
      const path = freshPath();
      await leaveStale(path);
      const release = await kernelMutex('linux').tryHold(path);
      expect(await pipe({ path }).listen(unexpected, options())).toBeUndefined();
      expect(lstatSync(path).isSocket()).toBe(true);
      release?.();
      await listen(pipe({ path }));
    });

    test('takes temporary names of dead launches with it, and nothing else', async () => {
      const path = freshPath();
      const dead = spawnSync(process.execPath, ['--version']).pid;
      await leaveStale(`${path}.${dead}.abc123`);
      await leaveStale(`${path}.${process.pid}.abc123`);
      writeFileSync(`${path}.${dead}.def456`, 'not a socket');
      await leaveStale(`${path}.${dead}.more.abc123`);
      await listen(pipe({ path }));
      const kept = ['', `.${dead}.def456`, `.${dead}.more.abc123`, `.${process.pid}.abc123`];
      expect(readdirSync(join(path, '..'))).toEqual(kept.map((suffix) => `socket${suffix}`).toSorted());
    });
  });

  describe('is refused and left alone where', () => {
    /** Each makes what is wrong, and returns what must stay. */
    const wrongs: Record<string, (path: string) => string | Promise<string>> = {
      'a regular file is at the path': (path) => (writeFileSync(path, 'precious'), path),
      'a directory is at the path': (path) => (mkdirSync(path), path),
      'a symbolic link to a stale socket is at the path': async (path) => {
        await leaveStale(`${path}.target`);
        symlinkSync(`${path}.target`, path);
        return path;
      },
      'a dangling symbolic link is at the path': (path) => (symlinkSync('nowhere', path), path),
      'everybody may write to the directory': async (path) => {
        await leaveStale(path);
        chmodSync(join(path, '..'), 0o777);
        return path;
      },
      'the directory is a symbolic link': async (path) => {
        const directory = join(path, '..');
        const target = folder();
        await leaveStale(join(target, 'socket'));
        rmSync(directory, { recursive: true });
        symlinkSync(target, directory);
        return path;
      },
      ...(isRoot && {
        'a socket of another user is at the path': async (path: string) => {
          await leaveStale(path);
          chownSync(path, 65_534, 65_534);
          return path;
        },
        'the directory is that of another user': async (path: string) => {
          await leaveStale(path);
          chownSync(join(path, '..'), 65_534, 65_534);
          return path;
        },
      }),
    };

    test.each(Object.entries(wrongs))('%s', async (_, make) => {
      const path = freshPath();
      const kept = await make(path);
      const before = lstatSync(kept);
      const refused = { name: 'SingletonError', code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE' };
      await expect(pipe({ path }).listen(unexpected, options())).rejects.toMatchObject(refused);
      await expect(pipe({ path }).connect({ signal: never() })).rejects.toMatchObject(refused);
      expect(lstatSync(kept)).toMatchObject({ ino: before.ino, mode: before.mode, uid: before.uid });
    });

    test('the directory is a symbolic link, and the error says so', async () => {
      const link = join(folder(), 'link');
      symlinkSync(folder(), link);
      await expect(pipe({ path: join(link, 'socket') }).listen(unexpected, options())).rejects.toThrow(
        'a symbolic link',
      );
    });

    test('there is no directory, where nobody is either', async () => {
      const path = join(folder(), 'missing', 'socket');
      expect(await pipe({ path }).connect({ signal: never() })).toBeUndefined();
      await expect(pipe({ path }).listen(unexpected, options())).rejects.toMatchObject({
        code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
        message: expect.stringContaining('does not exist'),
      });
    });
  });

  describe('is lost', () => {
    test('when it is removed', async () => {
      const path = freshPath();
      const onLost = vi.fn<() => void>();
      await listen(pipe({ path }), { onLost });
      unlinkSync(path);
      await vi.waitUntil(() => onLost.mock.calls.length > 0);
      expect(onLost).toHaveBeenCalledOnce();
    });

    test('when it is replaced, and close() leaves the successor there', async () => {
      const path = freshPath();
      const onLost = vi.fn<() => void>();
      const { listener } = await listen(pipe({ path }), { onLost });
      unlinkSync(path);
      const successor = createServer().listen(path);
      onTestFinished(() => void successor.close());
      await once(successor, 'listening');
      const { ino } = statSync(path);
      await vi.waitUntil(() => onLost.mock.calls.length > 0);
      await listener.close();
      expect(statSync(path).ino).toBe(ino);
      await open(pipe({ path }));
    });

    test('and the next one can have it', async () => {
      const path = freshPath();
      const { listener } = await listen(pipe({ path }), { onLost: () => {} });
      unlinkSync(path);
      await listen(pipe({ path }));
      await listener.close();
      await open(pipe({ path }));
    });
  });
});

describe.skipIf(isWindows)('by name', () => {
  test('it is in XDG_RUNTIME_DIR, or in a directory of this user in the temp directory', async () => {
    const [runtime, temp] = [folder(), folder()];
    vi.stubEnv('XDG_RUNTIME_DIR', runtime);
    vi.stubEnv('TMPDIR', temp);
    onTestFinished(() => void vi.unstubAllEnvs());
    await listen(pipe({ name: 'com.acme.editor' }));
    expect(readdirSync(runtime)).toEqual(['com.acme.editor.sock']);

    vi.stubEnv('XDG_RUNTIME_DIR', undefined);
    expect(await pipe({ name: 'com.acme.editor' }).connect({ signal: never() })).toBeUndefined();
    expect(readdirSync(temp)).toEqual([]);
    await listen(pipe({ name: 'com.acme.editor' }));
    const directory = `com.acme.editor-${process.getuid?.()}`;
    expect(readdirSync(temp)).toEqual([directory]);
    expect(statSync(join(temp, directory)).mode & 0o777).toBe(0o700);
  });

  test('it is refused where others can look into the directory', async () => {
    const runtime = folder();
    chmodSync(runtime, 0o755);
    vi.stubEnv('XDG_RUNTIME_DIR', runtime);
    onTestFinished(() => void vi.unstubAllEnvs());
    await expect(pipe({ name: 'com.acme.editor' }).listen(unexpected, options())).rejects.toMatchObject({
      code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
      message: expect.stringMatching(/mode is 0755.*0700/),
    });
    expect(statSync(runtime).mode & 0o777).toBe(0o755);
  });
});

function freshPath(): string {
  return isWindows ? String.raw`\\.\pipe\socket-singleton-` + process.hrtime.bigint() : join(folder(), 'socket');
}

function twoAt(path: string): [Transport, Transport] {
  return [pipe({ path }), pipe({ path })];
}

function twoThatAreFreed(): [Transport, Transport] {
  const path = freshPath();
  return [namedPipe(path), namedPipe(path)];
}

/** As on systems where a busy host looks like a dead one. */
function twoThatHoldOn(): [Transport, Transport] {
  const path = freshPath();
  const directory = { path: join(path, '..'), uid: process.getuid?.(), forbidden: 0o022, isOurs: false };
  const mutex = { ...kernelMutex(process.platform), isForLife: true };
  const where = { kind: 'socket-file', path, directory } as const;
  return [unixSocket(where, mutex), unixSocket(where, mutex)];
}

/** A knock: somebody looked whether this listens. */
function leave(knock: { destroy(): unknown }): void {
  knock.destroy();
}
