import { describe, expect, test } from 'vitest';
import { resolvePath, type System } from '../../../src/transports/unix/path.ts';
import { pipe } from '../../../src/transports/pipe.ts';

const linux: System = { platform: 'linux', uid: 1000, username: () => 'alice' };
const windows: System = { ...linux, platform: 'win32', uid: undefined };
const invalid = expect.objectContaining({ name: 'SingletonError', code: 'ERR_SINGLETON_INVALID_OPTION' });

describe('pipe({ name })', () => {
  const name = 'com.acme.editor';

  test('uses a directory of the user in /tmp on all systems but Windows', () => {
    for (const platform of ['linux', 'darwin', 'freebsd', 'android'] as const) {
      expect(resolvePath({ name }, { ...linux, platform })).toEqual({
        kind: 'socket-file',
        path: '/tmp/com.acme.editor-1000/socket',
        directory: { path: '/tmp/com.acme.editor-1000', uid: 1000, forbidden: 0o077, isOurs: true },
      });
    }
  });

  test('uses a directory of the user in the directory that is given', () => {
    const path = '/run/user/1000/com.acme.editor-1000';
    expect(resolvePath({ name, directory: '/run/user/1000/' }, linux)).toEqual({
      kind: 'socket-file',
      path: `${path}/socket`,
      directory: { path, uid: 1000, forbidden: 0o077, isOurs: true },
    });
    expect(resolvePath({ name, directory: undefined }, linux).path).toBe('/tmp/com.acme.editor-1000/socket');
    expect(resolvePath({ name, directory: '/tmp' }, windows)).toEqual(resolvePath({ name }, windows));
  });

  test.each(['', 'relative', './run', '/a\0b', '/\ud800', 1, null])('refuses the directory %o', (wrong) => {
    expect(() => resolvePath(untyped({ name, directory: wrong }), linux)).toThrow(invalid);
  });

  test('uses a named pipe of the user on Windows', () => {
    expect(resolvePath({ name }, windows)).toEqual({
      kind: 'named-pipe',
      path: String.raw`\\.\pipe\com.acme.editor-alice`,
    });
    expect(resolvePath({ name }, { ...windows, username: () => 'bob' }).path).toMatch(/-bob$/);
  });

  test.each(['', 'a/b', String.raw`a\b`, 'a\0b', 'a\nb', '\ud800', 1, null])('refuses %o', (wrong) => {
    expect(() => resolvePath(untyped({ name: wrong }), linux)).toThrow(invalid);
  });

  test('refuses a name that makes the path too long, with the length and what to do', () => {
    expect(() => resolvePath({ name: 'x'.repeat(80) }, linux)).toThrow(
      /88 bytes.*got 97 bytes: .*shorter name, or set "path"/,
    );
  });

  test('refuses a directory that makes the path too long, and names the option', () => {
    expect(() => resolvePath({ name, directory: `/${'x'.repeat(70)}` }, linux)).toThrow(/shorter "directory"/);
  });
});

describe('pipe({ path })', () => {
  test('keeps the path unchanged, and forbids a directory where another user may write', () => {
    expect(resolvePath({ path: '/srv/app//x/../app.sock' }, linux)).toEqual({
      kind: 'socket-file',
      path: '/srv/app/app.sock',
      directory: { path: '/srv/app', uid: 1000, forbidden: 0o022, isOurs: false },
    });
  });

  test('accepts only the name of a pipe on Windows', () => {
    const path = String.raw`\\.\pipe\my-app`;
    expect(resolvePath({ path }, windows)).toEqual({ kind: 'named-pipe', path });
    expect(() => resolvePath({ path: String.raw`C:\my-app` }, windows)).toThrow(invalid);
  });

  test.each(['', 'relative', './app.sock', '/a\0b', '/\ud800', 1, null])('refuses %o', (wrong) => {
    expect(() => resolvePath(untyped({ path: wrong }), linux)).toThrow(invalid);
  });

  // A suffix of 15 bytes is added to it, and the system accepts 103.
  test.each([88, 89, 103, 104, 108, 109])('accepts up to 88 bytes, whatever the characters: %d bytes', (bytes) => {
    const paths = [
      `/${'a'.repeat(bytes - 1)}`,
      `/${'ü'.repeat((bytes - 2) / 2)}`.padEnd(bytes - Math.floor((bytes - 2) / 2), 'a'),
    ];
    for (const path of paths) {
      expect(Buffer.byteLength(path)).toBe(bytes);
      if (bytes === 88) expect(resolvePath({ path }, linux).path).toBe(path);
      else {
        const message = new RegExp(`at most 88 bytes .*allows 103.*got ${bytes} bytes: .*Choose a shorter path`);
        expect(() => resolvePath({ path }, linux)).toThrow(message);
        expect(() => resolvePath({ path }, linux)).toThrow(invalid);
      }
    }
  });
});

describe('pipe()', () => {
  test('refuses a path together with a name or a directory, and neither of them', () => {
    expect(() => pipe(untyped({ directory: '/a', path: '/b' }))).toThrow(invalid);
    expect(() => pipe(untyped({ directory: '/a' }))).toThrow(invalid);
    expect(() => pipe(untyped({ name: 'a', path: '/b' }))).toThrow(invalid);
    expect(() => pipe(untyped({}))).toThrow(invalid);
    expect(() => pipe(untyped(undefined))).toThrow(invalid);
  });
});

/** `any`: what a caller without types may pass. */
function untyped(value: unknown): any {
  return value;
}
