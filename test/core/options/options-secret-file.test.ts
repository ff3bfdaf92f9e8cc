import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { json } from '../../../src/codecs/json.ts';
import { resolveOptions } from '../../../src/core/options/resolve-options.ts';
import { Singleton } from '../../../src/index.ts';
import { portOf } from '../../helpers/host.ts';
import { fromJavaScript, optionErrorMessage } from '../../helpers/javascript-caller.ts';

const isWindows = process.platform === 'win32';
const folder = mkdtempSync(join(tmpdir(), 'socket-singleton-'));
let files = 0;

afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => {
  vi.restoreAllMocks();
});

/** A path in the folder, where nothing is yet. */
function newPath(): string {
  files += 1;
  return join(folder, `file ${files}`);
}

/** A file of this user. The umask must not change its mode. */
function write(content: string | Uint8Array, mode = '0600'): string {
  const path = newPath();
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

function read(secretFile: string): Uint8Array | undefined {
  // A codec that accepts any secret.
  return resolveOptions({ codec: json<readonly string[]>(), args: [], secretFile }).secret;
}

/** What an error says of a file. */
function reasonFor(path: string): string | undefined {
  const message = optionErrorMessage({ secretFile: path });
  const start = `Option "secretFile": expected a file of mode 0600 of this user at ${JSON.stringify(path)}, but `;
  return message.startsWith(start) ? message.slice(start.length) : message;
}

describe('the option secretFile', () => {
  it.each([
    ['no line end', 'sesame', 'sesame'],
    ['a line end', 'sesame\n', 'sesame'],
    ['a line end of Windows', 'sesame\r\n', 'sesame'],
    ['two line ends, of which one is removed', 'sesame\n\n', 'sesame\n'],
    ['a carriage return', 'sesame\r', 'sesame\r'],
    ['spaces', ' sesame \n', ' sesame '],
    ['characters beyond ASCII', 'é😀\n', 'é😀'],
    ['4096 bytes', 'a'.repeat(4096), 'a'.repeat(4096)],
    ['4096 bytes with the line end', `${'a'.repeat(4095)}\n`, 'a'.repeat(4095)],
  ])('reads a file with %s as the same text in secret', (_, content, text) => {
    expect(read(write(content))).toEqual(resolveOptions({ secret: text }).secret);
  });

  it('reads bytes that are not UTF-8', () => {
    expect(read(write(Uint8Array.of(0, 0xff, 10)))).toEqual(Uint8Array.of(0, 0xff));
  });

  it('takes a path that is relative to the working directory', () => {
    expect(read(relative(process.cwd(), write('sesame')))).toEqual(new TextEncoder().encode('sesame'));
  });

  it.each(['0600', '0400', '0700'])('accepts the mode %s', (mode) => {
    expect(read(write('sesame', mode))).toHaveLength(6);
  });

  it.skipIf(isWindows)('follows a symbolic link, and checks the file at its end', () => {
    const [good, bad] = [newPath(), newPath()];
    symlinkSync(write('sesame'), good);
    symlinkSync(write('sesame', '0640'), bad);
    expect(read(good)).toHaveLength(6);
    expect(reasonFor(bad)).toContain('(mode 0640)');
  });

  it.skipIf(isWindows).each(['0640', '0620', '0610', '0604', '0602', '0601', '0644', '0666'])(
    'refuses the mode %s, and says what to do',
    (mode) => {
      const path = write('sesame', mode);
      expect(reasonFor(path)).toBe(
        `other users have permissions (mode ${mode}). Run chmod 600 ${JSON.stringify(path)}, and make a new ` +
          'secret if another user may have read it.',
      );
    },
  );

  it.skipIf(isWindows)('refuses a file of another user, by the effective one', () => {
    const path = write('sesame');
    const user = process.geteuid?.() ?? 0;
    vi.spyOn(process, 'geteuid').mockReturnValue(user + 1);
    expect(reasonFor(path)).toContain(`it belongs to the user ${user}, and this process runs as ${user + 1}.`);
  });

  it('checks neither owner nor mode on Windows, which has none', () => {
    vi.spyOn(process, 'platform', 'get').mockReturnValue('win32');
    expect(read(write('sesame', '0644'))).toHaveLength(6);
  });

  it('does not open a FIFO that nobody writes to for ever, and refuses it', (context) => {
    if (isWindows) context.skip('Windows has no FIFO');
    const path = newPath();
    execFileSync('mkfifo', ['-m', '600', path]);
    expect(reasonFor(path)).toMatch(/^it is not a regular file\. Create it /);
  });

  it.skipIf(isWindows)('refuses a directory', () => {
    const path = newPath();
    mkdirSync(path, { mode: 0o700 });
    expect(reasonFor(path)).toMatch(/^it is not a regular file\. Create it /);
  });

  it.each([
    ['nothing', ''],
    ['a line end', '\n'],
    ['a line end of Windows', '\r\n'],
  ])('refuses a file with %s', (_, content) => {
    expect(reasonFor(write(content))).toMatch(/^it is empty\. Create it /);
  });

  it('refuses a file with more than 4096 bytes', () => {
    expect(reasonFor(write('a'.repeat(4097)))).toMatch(/^it has more than 4096 bytes\. Create it /);
    expect(reasonFor(write(`${'a'.repeat(4096)}\n`))).toMatch(/^it has more than 4096 bytes\. /);
  });

  it('refuses a path where no file is, with the error of the system as the cause', () => {
    const secretFile = newPath();
    expect(() => resolveOptions({ secretFile })).toThrow(
      expect.objectContaining({
        code: 'ERR_SINGLETON_INVALID_OPTION',
        message: expect.stringContaining(
          'but it could not be read (ENOENT). Create it with a secret of generateSecret()',
        ),
        cause: expect.objectContaining({ code: 'ENOENT' }),
      }),
    );
  });

  it('refuses a path with NUL', () => {
    expect(reasonFor('a\0b')).toContain('it could not be read (ERR_INVALID_ARG_VALUE)');
  });

  it.each([
    ['', '"" (string)'],
    [5, '5 (number)'],
    [null, 'null'],
    [new URL('file:///secret'), 'a value of type object'],
  ])('refuses %j, which is no path', (secretFile, described) => {
    expect(optionErrorMessage({ secretFile })).toBe(
      `Option "secretFile": expected the path of a file, got ${described}.`,
    );
  });

  it('is refused together with secret, which the message names', () => {
    const secretFile = newPath();
    const message = optionErrorMessage({ secret: 'sesame', secretFile });
    expect(message).toMatch(/^Option "secretFile": expected nothing beside secret, got "/);
    expect(message).not.toContain('sesame');
    expect(optionErrorMessage({ secret: undefined, secretFile: undefined })).toBe('accepted');
  });

  it.each([
    ['of a mode that others can read', 'topsecret', '0644'],
    ['that is too long', 'topsecret'.repeat(1000), '0600'],
    ['that no launch with legacy() can send', 'topsecret\0', '0600'],
  ])('shows nothing of the content of a file %s', (_, content, mode) => {
    const options = fromJavaScript({ secretFile: write(content, mode) });
    let error: unknown;
    try {
      resolveOptions(options);
    } catch (thrown) {
      error = thrown;
    }
    // On Windows the first one is accepted.
    if (!isWindows) expect(error).toBeInstanceOf(Error);
    expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/topsecret|116, *111|74 6f 70/);
  });

  it('is masked in what console.log shows', () => {
    const shown = inspect(new Singleton({ secretFile: write('topsecret\n') }), { showHidden: true, depth: 9 });
    expect(shown).toContain("secret: '***'");
    expect(shown).not.toMatch(/topsecret|116, *111|74 6f 70|Uint8Array/);
  });

  it('is what both sides prove, at a launch and for the status', async () => {
    const secretFile = write('a secret of more than 16 bytes\n');
    const codec = json<string>();
    await using host = await Singleton.acquire({ port: 0, codec, args: '', secretFile });
    const port = portOf(host);
    const secret = 'a secret of more than 16 bytes';
    expect(await Singleton.send({ port, codec, args: 'a', secret })).toMatchObject({ outcome: 'delivered' });
    expect(await Singleton.send({ port, codec, args: 'b', secretFile })).toMatchObject({ outcome: 'delivered' });
    expect(await Singleton.status({ port, codec, secretFile })).toMatchObject({ clients: 2 });
    const other = write('another secret of so many bytes');
    const refused = { code: 'ERR_SINGLETON_VERIFICATION_FAILED' };
    await expect(Singleton.status({ port, codec, secretFile: other })).rejects.toMatchObject(refused);
  });

  it('is read by the constructor alone', async () => {
    const secretFile = write('a secret of more than 16 bytes');
    const app = new Singleton({ port: 0, codec: json<string>(), args: '', secretFile });
    rmSync(secretFile);
    await using host = await app.acquire();
    expect(host.listening).toBe(true);
  });
});
