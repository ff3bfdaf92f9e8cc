import { lstatSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { kernelMutex } from '../../src/transports/kernel-mutex.ts';
import { run } from '../helpers/program.ts';
import { folder } from '../helpers/socket-folder.ts';

describe.runIf(process.platform === 'linux')('on Linux', () => {
  const mutex = kernelMutex('linux');

  test('one has it at a time, for one path', async () => {
    const path = join(folder(), 'socket');
    const release = await mutex.tryHold(path);
    expect(release).toBeDefined();
    expect(await mutex.tryHold(path)).toBeUndefined();
    const other = await mutex.tryHold(`${path}2`);
    expect(other).toBeDefined();
    other?.();
    release?.();
    const again = await mutex.tryHold(path);
    expect(again).toBeDefined();
    again?.();
  });

  test('two ways to one directory lead to one mutex', async () => {
    const directory = folder();
    const link = join(folder(), 'link');
    symlinkSync(directory, link);
    const release = await mutex.tryHold(join(directory, 'socket'));
    expect(await mutex.tryHold(join(link, 'socket'))).toBeUndefined();
    release?.();
  });

  test('its name has 107 bytes, because versions of Node pad shorter ones differently', async () => {
    expect(Buffer.byteLength(await nameOf(join(folder(), 'socket')))).toBe(107);
  });

  test('the kernel lets go of it for a process that is killed', async () => {
    const path = join(folder(), 'socket');
    const name = JSON.stringify(`\0${await nameOf(path)}`);
    const code = `net.createServer().listen(${name}, () => console.log('{"event":"held"}'))`;
    const holder = run(process.execPath, ['--eval', code]);
    await holder.line('held');
    expect(await mutex.tryHold(path)).toBeUndefined();
    await holder.kill();
    const release = await mutex.tryHold(path);
    expect(release).toBeDefined();
    release?.();
  });

  /** Its name, by the kernel's account, which writes NULs as @. */
  async function nameOf(path: string): Promise<string> {
    const before = new Set(mutexNames());
    const release = await mutex.tryHold(path);
    const name = mutexNames().find((each) => !before.has(each));
    release?.();
    return name ?? '';
  }
});

// That the lock excludes can be seen on those systems alone.
describe.skipIf(process.platform === 'win32')('on macOS and the BSDs', () => {
  const mutex = kernelMutex('darwin');

  test('a host keeps it, in an empty file beside the socket that is this user’s alone', async () => {
    expect(mutex.isForLife).toBe(true);
    const path = join(folder(), 'socket');
    const release = await mutex.tryHold(path);
    expect(lstatSync(`${path}.lock`)).toMatchObject({ size: 0, mode: 0o100600 });
    release?.();
  });

  test('a symbolic link in its endpoint is refused', async () => {
    const path = join(folder(), 'socket');
    symlinkSync('elsewhere', `${path}.lock`);
    await expect(mutex.tryHold(path)).rejects.toMatchObject({
      code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
      cause: { code: 'ELOOP' },
    });
  });
});

test('on a system without one, nothing is cleared: an error says what to do', async () => {
  await expect(kernelMutex('aix').tryHold('/run/app.sock')).rejects.toMatchObject({
    code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
    message: expect.stringMatching(/has left \/run\/app\.sock behind.*Remove it/),
  });
});

function mutexNames(): readonly string[] {
  return readFileSync('/proc/net/unix', 'utf8').match(/(?<=@)socket-singleton .*/g) ?? [];
}
