import { createHash } from 'node:crypto';
import { lstatSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { type KernelMutex, kernelMutex } from '../../../src/transports/unix/kernel-mutex.ts';
import { run } from '../../helpers/program.ts';
import { socketFolder } from '../../helpers/socket-folder.ts';

describe.runIf(process.platform === 'linux')('KernelMutex on Linux', () => {
  const mutex = kernelMutex('linux');

  test('excludes a second holder for one path, until it is unlocked', async () => {
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

  test('excludes a second holder for another path to the same directory', async () => {
    const directory = socketFolder();
    const link = join(socketFolder(), 'link');
    symlinkSync(directory, link);
    const release = await mutex.tryLock(join(directory, 'socket'));
    expect(await mutex.tryLock(join(link, 'socket'))).toBeUndefined();
    release?.();
  });

  test('binds a name of 107 bytes and one of 106, because no length is the same name on all runtimes', async () => {
    expect(await lengthsOf(mutex, join(socketFolder(), 'socket'))).toEqual([106, 107]);
  });

  test('binds a name in common with Bun, which accepts 106 bytes at most', async () => {
    vi.stubGlobal('process', { ...process, versions: { ...process.versions, bun: '1' } });
    vi.resetModules();
    onTestFinished(() => void vi.unstubAllGlobals());
    const ofBun = (await import('../../../src/transports/unix/kernel-mutex.ts')).kernelMutex('linux');
    vi.unstubAllGlobals();
    const path = join(socketFolder(), 'socket');
    expect(await lengthsOf(ofBun, path)).toEqual([106]);
    for (const [first, second] of [[mutex, ofBun] as const, [ofBun, mutex] as const]) {
      const unlock = await first.tryLock(path);
      expect(unlock).toBeDefined();
      expect(await second.tryLock(path)).toBeUndefined();
      unlock?.();
    }
  });

  test('unlocks when the process of its holder is killed', async () => {
    const path = join(socketFolder(), 'socket');
    const release = await mutex.tryLock(path);
    const name = JSON.stringify(`\0${namesOf(path).find((each) => !each.endsWith('@'))}`);
    release?.();
    const code = `net.createServer().listen(${name}, () => console.log('{"event":"held"}'))`;
    const holder = run(process.execPath, ['--eval', code]);
    await holder.line('held');
    expect(await mutex.tryLock(path)).toBeUndefined();
    await holder.kill();
    const again = await mutex.tryLock(path);
    expect(again).toBeDefined();
    again?.();
  });
});

// That the lock excludes can be seen on those systems alone.
describe.skipIf(process.platform === 'win32')('KernelMutex on macOS and the BSDs', () => {
  const mutex = kernelMutex('darwin');

  test('creates an empty file of this user beside the socket, which a host keeps locked', async () => {
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

describe('KernelMutex on other systems', () => {
  test('removes nothing and reports what to do', async () => {
    await expect(kernelMutex('aix').tryLock('/run/app.sock')).rejects.toMatchObject({
      code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
      message: expect.stringMatching(/\/run\/app\.sock exists.*Remove the file if no host is running/),
    });
  });
});

async function lengthsOf(ofRuntime: KernelMutex, path: string): Promise<readonly number[]> {
  const unlock = await ofRuntime.tryLock(path);
  // Node 20 pads the shorter name with a NUL.
  const lengths = namesOf(path).map((name) => Buffer.byteLength(name.replace(/@$/, '')));
  unlock?.();
  return lengths.toSorted((first, second) => first - second);
}

/** The names that are bound for the path, by the kernel's account, which writes NULs as @. */
function namesOf(path: string): readonly string[] {
  const { dev, ino } = statSync(dirname(path), { bigint: true });
  const id = createHash('sha256')
    .update(`${dev} ${ino} ${basename(path)}`)
    .digest('hex');
  const names = readFileSync('/proc/net/unix', 'utf8').match(/(?<=@)socket-singleton .*/g) ?? [];
  return names.filter((name) => name.includes(id));
}
