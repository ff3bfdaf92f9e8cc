import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { pipe } from '../../src/transports/pipe.ts';
import { socketFolder } from '../helpers/socket-folder.ts';
import { listen, never, open, options, unexpected } from '../helpers/transport-compliance.ts';

const isRoot = process.getuid?.() === 0;
const NOBODY = 65_534;

vi.mock('node:fs', async (importOriginal) => {
  const original = await importOriginal<typeof fs>();
  const names = ['linkSync', 'chmodSync', 'mkdirSync', 'mkdtempSync'] as const;
  return { ...original, ...Object.fromEntries(names.map((name) => [name, vi.fn<any>(original[name])])) };
});

const remedyOfName = 'Set the option "directory" of pipe() to a directory of your own, or use tcp() with a port.';
const remedyOfPath = 'Choose a path in another directory of your own, or use tcp() with a port.';

describe.skipIf(process.platform === 'win32')('pipe()', () => {
  it.each([
    ['linkSync', 'EACCES', 'hard links are not possible there: Android forbids them'],
    ['linkSync', 'EPERM', 'hard links are not possible there'],
    ['chmodSync', 'EPERM', 'the system does not allow it'],
    ['mkdtempSync', 'EACCES', 'the system does not allow it'],
    ['mkdtempSync', 'EROFS', 'the file system is read-only'],
  ] as const)('explains the error of %s: %s', async (call, code, reason) => {
    const directory = socketFolder();
    for (const [transport, remedy] of [
      [pipe({ name: 'app', directory }), remedyOfName],
      [pipe({ path: join(directory, 'socket') }), remedyOfPath],
    ] as const) {
      failOnce(call, code);
      await expect(transport.listen(unexpected, options())).rejects.toMatchObject({
        name: 'SingletonError',
        code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
        message: expect.stringMatching(new RegExp(`${transport.endpoint}.*${reason}.*${escape(remedy)}`)),
        cause: { code },
      });
      // The attempt leaves nothing.
      await (await listen(transport)).listener.close();
    }
    expect(fs.readdirSync(directory)).toEqual([`app-${process.geteuid?.()}`]);
  });

  it.each(['EROFS', 'EACCES', 'ENOENT', 'ENOSPC'])(
    'explains %s when the directory of a name cannot be created',
    async (code) => {
      failOnce('mkdirSync', code);
      const transport = pipe({ name: 'app', directory: socketFolder() });
      await expect(transport.listen(unexpected, options())).rejects.toMatchObject({
        name: 'SingletonError',
        code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
        message: expect.stringMatching(new RegExp(`It cannot be created \\(${code}.*${escape(remedyOfName)}`)),
        cause: { code },
      });
    },
  );

  it('explains that the directory for a name does not exist', async () => {
    const transport = pipe({ name: 'app', directory: join(socketFolder(), 'missing') });
    expect(await transport.connect({ signal: never() })).toBeUndefined();
    await expect(transport.listen(unexpected, options())).rejects.toMatchObject({
      code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
      message: expect.stringMatching(/cannot be created \(ENOENT.*option "directory"/),
    });
  });

  it('explains ELOOP to host and client for a circle of symbolic links', async () => {
    const folder = socketFolder();
    fs.symlinkSync('loop', join(folder, 'loop'));
    await expectRejected(join(folder, 'loop', 'directory', 'socket'), 'ELOOP');
  });

  it('explains EACCES to host and client for a directory that this user may not search', async () => {
    const folder = socketFolder();
    fs.mkdirSync(join(folder, 'directory'));
    fs.chmodSync(folder, 0o600);
    onTestFinished(() => fs.chmodSync(folder, 0o700));
    becomeNobody();
    await expectRejected(join(folder, 'directory', 'socket'), 'EACCES');
  });

  it('explains EACCES for a socket directory that its owner may not search', async () => {
    const folder = folderOfNobody();
    fs.chmodSync(folder, 0o600);
    onTestFinished(() => fs.chmodSync(folder, 0o700));
    becomeNobody();
    await expectRejected(join(folder, 'socket'), 'EACCES');
  });

  it('explains EACCES for a socket to which its owner may not write', async () => {
    const path = join(folderOfNobody(), 'socket');
    becomeNobody();
    await listen(pipe({ path }));
    fs.chmodSync(path, 0);
    await expect(pipe({ path }).connect({ signal: never() })).rejects.toMatchObject({
      name: 'SingletonError',
      code: 'ERR_SINGLETON_CONNECTION_FAILED',
      message: expect.stringMatching(new RegExp(`${path}.*EACCES.*this process may connect to it`)),
    });
  });
});

describe.skipIf(process.platform === 'win32')('pipe()', () => {
  it('binds its socket where no other user can connect before it has its mode, whatever the umask', async () => {
    const path = join(socketFolder(), 'socket');
    fs.chmodSync(join(path, '..'), 0o755);
    const umask = process.umask(0);
    onTestFinished(() => void process.umask(umask));
    vi.mocked(fs.chmodSync).mockImplementationOnce((socket, mode) => {
      const accessOfOthers = [socket, dirname(String(socket))].map((file) => fs.statSync(file).mode & 0o077);
      expect(accessOfOthers).toContain(0);
      fs.chmodSync(socket, mode);
    });
    await listen(pipe({ path }));
    expect(fs.statSync(path).mode & 0o777).toBe(0o600);
    expect(fs.readdirSync(join(path, '..'))).toEqual(['socket']);
  });

  it.runIf(isRoot)('binds in a directory of the effective user', async () => {
    const path = join(folderOfNobody(), 'socket');
    becomeNobody();
    await listen(pipe({ path }));
    expect(fs.statSync(path).uid).toBe(NOBODY);
    await open(pipe({ path }));
    expect(pipe({ name: 'app' }).endpoint).toBe(`unix:///tmp/app-${NOBODY}/socket`);
  });
});

async function expectRejected(path: string, code: string): Promise<void> {
  const rejected = {
    name: 'SingletonError',
    code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
    message: expect.stringMatching(new RegExp(`${join(path, '..')}.*${code}.*${escape(remedyOfPath)}`)),
    cause: { code },
  };
  await expect(pipe({ path }).connect({ signal: never() })).rejects.toMatchObject(rejected);
  await expect(pipe({ path }).listen(unexpected, options())).rejects.toMatchObject(rejected);
}

function failOnce(call: 'linkSync' | 'chmodSync' | 'mkdirSync' | 'mkdtempSync', code: string): void {
  vi.mocked<(...args: never[]) => unknown>(fs[call]).mockImplementationOnce(() => {
    throw Object.assign(new Error(`${code}: from the test`), { code, syscall: call.replace('Sync', '') });
  });
}

/** A folder of the user that `becomeNobody` makes us. */
function folderOfNobody(): string {
  const folder = socketFolder();
  if (isRoot) fs.chownSync(folder, NOBODY, NOBODY);
  return folder;
}

/** Root may do anything: acts as another user until the test ends. */
function becomeNobody(): void {
  if (!isRoot) return;
  process.seteuid?.(NOBODY);
  onTestFinished(() => process.seteuid?.(0));
}

function escape(text: string): string {
  return text.replaceAll(/[.()]/g, String.raw`\$&`);
}
