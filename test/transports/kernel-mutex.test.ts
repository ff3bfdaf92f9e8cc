import { lstatSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { kernelMutex } from '../../src/transports/kernel-mutex.ts';
import { run } from '../helpers/program.ts';
import { socketFolder } from '../helpers/socket-folder.ts';

describe.runIf(process.platform === 'linux')('KernelMutex on Linux', () => {
  const mutex = kernelMutex('linux');

  test('is held by one holder at a time for one path', async () => {
    const path = join(socketFolder(), 'socket');
    const release = await mutex.tryLock(path);
    expect(release).toBeDefined();
    expect(await mutex.tryLock(path)).toBeUndefined();
    const other = await mutex.tryLock(`${path}2`);
    expect(other).toBeDefined();
    other?.();
    release?.();
    const again = await mutex.tryLock(path);
    expect(again).toBeDefined();
    again?.();
  });

  test('is the same for two paths of one directory', async () => {
    const directory = socketFolder();
    const link = join(socketFolder(), 'link');
    symlinkSync(directory, link);
    const release = await mutex.tryLock(join(directory, 'socket'));
    expect(await mutex.tryLock(join(link, 'socket'))).toBeUndefined();
    release?.();
  });

  test('has a name of 107 bytes, because versions of Node pad shorter ones differently', async () => {
    expect(Buffer.byteLength(await nameOf(join(socketFolder(), 'socket')))).toBe(107);
  });

  test('is unlocked by the kernel when its process is killed', async () => {
    const path = join(socketFolder(), 'socket');
    const name = JSON.stringify(`\0${await nameOf(path)}`);
    const code = `net.createServer().listen(${name}, () => console.log('{"event":"held"}'))`;
    const holder = run(process.execPath, ['--eval', code]);
    await holder.line('held');
    expect(await mutex.tryLock(path)).toBeUndefined();
    await holder.kill();
    const release = await mutex.tryLock(path);
    expect(release).toBeDefined();
    release?.();
  });

  /** Its name, by the kernel's account, which writes NULs as @. */
  async function nameOf(path: string): Promise<string> {
    const before = new Set(mutexNames());
    const release = await mutex.tryLock(path);
    const name = mutexNames().find((each) => !before.has(each));
    release?.();
    return name ?? '';
  }
});

// That the lock excludes can be seen on those systems alone.
describe.skipIf(process.platform === 'win32')('KernelMutex on macOS and the BSDs', () => {
  const mutex = kernelMutex('darwin');

  test('is held by a host, in an empty file of this user beside the socket', async () => {
    expect(mutex.heldForProcessLifetime).toBe(true);
    const path = join(socketFolder(), 'socket');
    const release = await mutex.tryLock(path);
    expect(lstatSync(`${path}.lock`)).toMatchObject({ size: 0, mode: 0o100600 });
    release?.();
  });

  test('refuses a symbolic link in place of its file', async () => {
    const path = join(socketFolder(), 'socket');
    symlinkSync('elsewhere', `${path}.lock`);
    await expect(mutex.tryLock(path)).rejects.toMatchObject({
      code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
      cause: { code: 'ELOOP' },
    });
  });
});

test('pipe() on a system without a mutex removes nothing and reports what to do', async () => {
  await expect(kernelMutex('aix').tryLock('/run/app.sock')).rejects.toMatchObject({
    code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
    message: expect.stringMatching(/\/run\/app\.sock exists.*Remove the file if no host is running/),
  });
});

function mutexNames(): readonly string[] {
  return readFileSync('/proc/net/unix', 'utf8').match(/(?<=@)socket-singleton .*/g) ?? [];
}
