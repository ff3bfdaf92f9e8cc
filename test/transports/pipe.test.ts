import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Transport } from '../../src/interface/transport.ts';
import { kernelMutex } from '../../src/transports/unix/kernel-mutex.ts';
import { namedPipe, pipe } from '../../src/transports/pipe.ts';
import { unixSocket } from '../../src/transports/unix/socket.ts';
import { socketFolder, createStaleSocket } from '../helpers/socket-folder.ts';
import { listen, never, open, options, testTransport, unexpected } from '../helpers/transport-compliance.ts';

const isWindows = process.platform === 'win32';
const isLinux = process.platform === 'linux';
const isRoot = process.getuid?.() === 0;
if (!isRoot) console.warn('NOT TESTED, for want of root: sockets and directories of another user.');

const capabilities = { reset: true, resources: { listener: 'PipeWrap', connection: 'PipeWrap' } };

describe('pipe()', () => {
  testTransport({ create: () => pairAt(freshPath()), capabilities: { ...capabilities, watch: !isWindows } });
});

describe('pipe() with a named pipe', () => {
  testTransport({ create: namedPipePair, capabilities });
});

describe.skipIf(isWindows)('pipe() with a Unix socket', () => {
  describe('when its host holds the mutex', () => {
    testTransport({ create: lockedPair, capabilities });

    test('removes a stale socket when the mutex is free, and not while it is held', async () => {
      const [transport] = lockedPair();
      const path = transport.endpoint.replace('unix://', '');
      await createStaleSocket(path);
      const release = await kernelMutex(process.platform).tryLock(path);
      expect(await transport.listen(unexpected, options())).toBeUndefined();
      release?.();
      await listen(transport);
    });
  });

  test('excludes other users, and leaves no file', async () => {
    const path = freshPath();
    const { listener } = await listen(pipe({ path }));
    expect(lstatSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(path, '..'))).toEqual(['socket']);
    await listener.close();
    expect(readdirSync(join(path, '..'))).toEqual([]);
  });

  test('distinguishes a client that has disconnected from one that has ended', async () => {
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

  describe('after a host has crashed', () => {
    test('removes its socket in listen(), and leaves no file', async () => {
      const path = freshPath();
      await createStaleSocket(path);
      const { listener } = await listen(pipe({ path }));
      await open(pipe({ path }));
      const release = await kernelMutex(process.platform).tryLock(path);
      expect(release).toBeDefined();
      release?.();
      await listener.close();
      expect(readdirSync(join(path, '..'))).toEqual([]);
    });

    test('reports the endpoint as in use with skipProbe, until connect() finds no host', async () => {
      const path = freshPath();
      await createStaleSocket(path);
      const transport = pipe({ path });
      expect(await transport.listen(unexpected, { ...options(), skipProbe: true })).toBeUndefined();
      expect(await transport.connect({ signal: never() })).toBeUndefined();
      await listen(transport, { skipProbe: true });
    });

    test('binds one of many listeners', async () => {
      const path = freshPath();
      await createStaleSocket(path);
      const attempts = Array.from({ length: 10 }, () => pipe({ path }).listen(destroy, options()));
      const bound = (await Promise.all(attempts)).filter((listener) => listener !== undefined);
      expect(readdirSync(join(path, '..'))).toEqual(['socket']);
      for (const listener of bound) await listener.close();
      expect(bound).toHaveLength(1);
    });

    test.runIf(isLinux)('leaves the socket to the holder of the mutex', async () => {
      const path = freshPath();
      await createStaleSocket(path);
      const release = await kernelMutex('linux').tryLock(path);
      expect(await pipe({ path }).listen(unexpected, options())).toBeUndefined();
      expect(lstatSync(path).isSocket()).toBe(true);
      release?.();
      await listen(pipe({ path }));
    });

    test('removes the socket with the temporary directories of dead launches, and nothing else', async () => {
      const path = freshPath();
      const [dead, alive] = [spawnSync(process.execPath, ['--version']).pid, process.pid].map((pid) =>
        pid.toString(36),
      );
      const create = (suffix: string, mode = 0o700): string => {
        const directory = `${path}.${suffix}`;
        mkdirSync(directory, { mode });
        return join(directory, 's');
      };
      create(`${dead}.empty1`);
      await createStaleSocket(create(`${dead}.Stale1`));
      const live = createServer().listen(create(`${dead}.alive1`));
      onTestFinished(() => void live.close());
      await once(live, 'listening');
      await createStaleSocket(create(`${alive}.abc123`));
      writeFileSync(create(`${dead}.def456`), 'not a socket');
      create(`${dead}.mode75`, 0o755);
      await createStaleSocket(create(`${dead}.more.abc123`));
      await createStaleSocket(`${path}.${dead}.socket`);
      await listen(pipe({ path }));
      const kept = ['alive1', 'def456', 'mode75', 'more.abc123', 'socket'].map((suffix) => `.${dead}.${suffix}`);
      expect(readdirSync(join(path, '..'))).toEqual(
        ['', `.${alive}.abc123`, ...kept].map((suffix) => `socket${suffix}`).toSorted(),
      );
    });
  });

  describe('when the endpoint is unsafe', () => {
    /** Each prepares an unsafe endpoint, and returns the file that must remain. */
    const unsafePaths: Record<string, (path: string) => string | Promise<string>> = {
      'there is a regular file': (path) => (writeFileSync(path, 'precious'), path),
      'there is a directory': (path) => (mkdirSync(path), path),
      'there is a symbolic link to a stale socket': async (path) => {
        await createStaleSocket(`${path}.target`);
        symlinkSync(`${path}.target`, path);
        return path;
      },
      'there is a dangling symbolic link': (path) => (symlinkSync('nowhere', path), path),
      'all users may write to the directory': async (path) => {
        await createStaleSocket(path);
        chmodSync(join(path, '..'), 0o777);
        return path;
      },
      'the directory is a symbolic link': async (path) => {
        const directory = join(path, '..');
        const target = socketFolder();
        await createStaleSocket(join(target, 'socket'));
        rmSync(directory, { recursive: true });
        symlinkSync(target, directory);
        return path;
      },
      ...(isRoot && {
        'there is a socket of another user': async (path: string) => {
          await createStaleSocket(path);
          chownSync(path, 65_534, 65_534);
          return path;
        },
        'the directory belongs to another user': async (path: string) => {
          await createStaleSocket(path);
          chownSync(join(path, '..'), 65_534, 65_534);
          return path;
        },
      }),
    };

    test.each(Object.entries(unsafePaths))('refuses it and removes nothing if %s', async (_, make) => {
      const path = freshPath();
      const kept = await make(path);
      const before = lstatSync(kept);
      const refused = { name: 'SingletonError', code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE' };
      await expect(pipe({ path }).listen(unexpected, options())).rejects.toMatchObject(refused);
      await expect(pipe({ path }).connect({ signal: never() })).rejects.toMatchObject(refused);
      expect(lstatSync(kept)).toMatchObject({ ino: before.ino, mode: before.mode, uid: before.uid });
    });

    test('reports that the directory is a symbolic link', async () => {
      const link = join(socketFolder(), 'link');
      symlinkSync(socketFolder(), link);
      await expect(pipe({ path: join(link, 'socket') }).listen(unexpected, options())).rejects.toThrow(
        'a symbolic link',
      );
    });

    test('refuses to listen without the directory, and finds no host', async () => {
      const path = join(socketFolder(), 'missing', 'socket');
      expect(await pipe({ path }).connect({ signal: never() })).toBeUndefined();
      await expect(pipe({ path }).listen(unexpected, options())).rejects.toMatchObject({
        code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
        message: expect.stringContaining('does not exist'),
      });
    });
  });

  describe('when its socket is replaced', () => {
    test('calls onLost, and close() does not remove the successor', async () => {
      const path = freshPath();
      const onLost = vi.fn<() => void>();
      const { listener } = await listen(pipe({ path }), { onLost });
      const { ino } = await replaceSocket(path);
      await vi.waitUntil(() => onLost.mock.calls.length > 0, { timeout: 60_000 });
      await listener.close();
      expect(statSync(path).ino).toBe(ino);
      await open(pipe({ path }));
    });
  });
});

describe.skipIf(isWindows)('pipe({ name })', () => {
  test('does not depend on the environment', () => {
    const { endpoint } = pipe({ name: 'com.acme.editor' });
    expect(endpoint).toBe(`unix:///tmp/com.acme.editor-${process.geteuid?.()}/socket`);
    onTestFinished(() => void vi.unstubAllEnvs());
    for (const variable of ['XDG_RUNTIME_DIR', 'TMPDIR', 'TMP', 'TEMP', 'HOME', 'USER']) {
      for (const value of [undefined, '', 'relative', '/missing', `/${'deep/'.repeat(100)}`, socketFolder()]) {
        vi.stubEnv(variable, value);
        expect(pipe({ name: 'com.acme.editor' }).endpoint).toBe(endpoint);
      }
    }
  });

  test('binds in a directory of this user in the directory that is given', async () => {
    const directory = socketFolder();
    chmodSync(directory, 0o777);
    const transport = pipe({ name: 'com.acme.editor', directory });
    expect(await transport.connect({ signal: never() })).toBeUndefined();
    expect(readdirSync(directory)).toEqual([]);
    await listen(transport);
    const own = `com.acme.editor-${process.geteuid?.()}`;
    expect(readdirSync(directory)).toEqual([own]);
    expect(statSync(join(directory, own)).mode & 0o777).toBe(0o700);
    expect(readdirSync(join(directory, own))).toEqual(['socket']);
  });

  describe('when another user has prepared its directory', () => {
    const unsafe: Record<string, (own: string) => void> = {
      'other users can read the directory': (own) => mkdirSync(own, { mode: 0o755 }),
      'it is a symbolic link': (own) => symlinkSync(socketFolder(), own),
      'it is a file': (own) => writeFileSync(own, ''),
      ...(isRoot && {
        'it belongs to another user': (own: string) => {
          mkdirSync(own, { mode: 0o700 });
          chownSync(own, 65_534, 65_534);
        },
      }),
    };

    test.each(Object.entries(unsafe))('rejects for host and client if %s', async (_, prepare) => {
      const directory = socketFolder();
      const own = join(directory, `com.acme.editor-${process.geteuid?.()}`);
      prepare(own);
      const before = lstatSync(own);
      const transport = pipe({ name: 'com.acme.editor', directory });
      const rejected = {
        code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
        message: expect.stringMatching(/nobody else has access.*Set the option "directory" of pipe\(\)/),
      };
      await expect(transport.listen(unexpected, options())).rejects.toMatchObject(rejected);
      await expect(transport.connect({ signal: never() })).rejects.toMatchObject(rejected);
      expect(lstatSync(own)).toMatchObject({ ino: before.ino, mode: before.mode, uid: before.uid });
    });
  });
});

function freshPath(): string {
  return isWindows ? String.raw`\\.\pipe\socket-singleton-` + process.hrtime.bigint() : join(socketFolder(), 'socket');
}

function pairAt(path: string): [Transport, Transport] {
  return [pipe({ path }), pipe({ path })];
}

function namedPipePair(): [Transport, Transport] {
  const path = freshPath();
  return [namedPipe(path), namedPipe(path)];
}

/** As on systems on which a busy host cannot be told from a dead one. */
function lockedPair(): [Transport, Transport] {
  const path = freshPath();
  const directory = { path: join(path, '..'), uid: process.geteuid?.(), forbidden: 0o022, isOurs: false };
  const mutex = { ...kernelMutex(process.platform), heldForProcessLifetime: true };
  const location = { kind: 'socket-file', path, directory } as const;
  return [unixSocket(location, mutex), unixSocket(location, mutex)];
}

/** Puts the socket of another program at the path, which has a file at any time. */
async function replaceSocket(path: string): Promise<Stats> {
  const successor = createServer().listen(`${path}2`);
  onTestFinished(() => void successor.close());
  await once(successor, 'listening');
  renameSync(`${path}2`, path);
  return statSync(path);
}

/** Closes a probe at once. */
function destroy(probe: { destroy(): unknown }): void {
  probe.destroy();
}
