import { lstatSync, mkdirSync, type Stats } from 'node:fs';
import { join, resolve } from 'node:path';
import { invalidOptionError, SingletonError } from '../interface/errors.ts';
/** Where a pipe is: at a path that the library finds by a name, apart for each user, or at a path of your own. */
export type PipeOptions =
  | {
      /** Your program's name, such as `com.acme.editor`: no slashes, no control characters. */
      readonly name: string;
      readonly path?: undefined;
    }
  | {
      /**
       * An absolute path of at most 88 bytes, in a directory that is yours and where nobody else may write. On Windows
       * `\\.\pipe\` and a name.
       */
      readonly path: string;
      readonly name?: undefined;
    };

/** What the system says that a path depends on. */
export interface System {
  readonly platform: NodeJS.Platform;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly tmpdir: string;
  /** `undefined` where users have no numbers. */
  readonly uid: number | undefined;
  readonly username: () => string;
}

export type PipePath = { readonly kind: 'named-pipe'; readonly path: string } | SocketPath;

export interface SocketPath {
  readonly kind: 'socket-file';
  readonly path: string;
  readonly directory: Directory;
}

/** The directory of a socket file. */
export interface Directory {
  readonly path: string;
  /** Who may own it and what is in it: this user. */
  readonly uid: number | undefined;
  /** Bits of the mode that must not be set. */
  readonly forbidden: number;
  /** It is made where it is missing. */
  readonly isOurs: boolean;
}

/** What is added to a path while it is claimed: `.`, a process id of up to 7 digits, `.` and 6 characters. */
export const SUFFIX_BYTES = 15;

/** The shortest limit of a system, that of macOS. Node 20 and 22 cut longer ones in silence, so that two become one. */
const MAX_BYTES = 103;

/** @throws SingletonError `ERR_SINGLETON_INVALID_OPTION` */
export function resolvePath({ name, path }: PipeOptions, system: System): PipePath {
  if (path !== undefined && name !== undefined) throw invalidOptionError('path', 'nothing beside name', path);
  return path === undefined ? byName(name, system) : byPath(path, system);
}

function byName(name: unknown, { platform, env, tmpdir, uid, username }: System): PipePath {
  if (typeof name !== 'string' || !NAME.test(name)) {
    throw invalidOptionError('name', 'a name without slashes or control characters, such as com.acme.editor', name);
  }
  if (platform === 'win32') return { kind: 'named-pipe', path: `${PIPES}${name}-${username()}` };
  const runtime = env['XDG_RUNTIME_DIR'];
  // The specification asks to ignore a path that is not absolute.
  const isGiven = runtime?.startsWith('/') === true;
  const directory = isGiven ? resolve(runtime) : join(resolve(tmpdir), `${name}-${uid}`);
  return socketPath('name', join(directory, isGiven ? `${name}.sock` : 'socket'), {
    path: directory,
    uid,
    forbidden: 0o077,
    isOurs: !isGiven,
  });
}

function byPath(path: unknown, { platform, uid }: System): PipePath {
  if (platform === 'win32') {
    if (typeof path === 'string' && NAMED_PIPE.test(path)) return { kind: 'named-pipe', path };
    throw invalidOptionError('path', String.raw`\\.\pipe\ and a name`, path);
  }
  if (typeof path !== 'string' || !path.startsWith('/') || path.includes('\0') || !path.isWellFormed()) {
    throw invalidOptionError('path', 'an absolute path without NUL', path);
  }
  const file = resolve(path);
  const directory = resolve(file, '..');
  return socketPath('path', file, { path: directory, uid, forbidden: 0o022, isOurs: false });
}

function socketPath(option: 'name' | 'path', path: string, directory: Directory): SocketPath {
  const bytes = Buffer.byteLength(path);
  if (bytes + SUFFIX_BYTES <= MAX_BYTES) return { kind: 'socket-file', path, directory };
  const remedy = option === 'path' ? 'Choose a shorter one' : 'Choose a shorter name, or give a path';
  throw new SingletonError(
    'ERR_SINGLETON_INVALID_OPTION',
    `Option "${option}": expected a path of at most ${MAX_BYTES - SUFFIX_BYTES} bytes (the system takes ${MAX_BYTES}, ` +
      `and ${SUFFIX_BYTES} are added while it is claimed), got ${bytes}: ${path}. ${remedy}.`,
  );
}

const PIPES = '\\\\.\\pipe\\';
const NAMED_PIPE = /^\\\\[.?]\\pipe\\[^\\]+$/;
const NAME = /^[^/\\\p{Cc}\p{Cs}]+$/u;

/**
 * Looks at the directory of a socket file, and does not repair it. `false`: there is none, and it is not made here.
 * @throws SingletonError `ERR_SINGLETON_ENDPOINT_UNAVAILABLE` where another user could get at what is in it
 */
export function checkDirectory(directory: Directory, { make }: { readonly make: boolean }): boolean {
  const stats = statOf(directory.path) ?? (make && directory.isOurs ? makeDirectory(directory.path) : undefined);
  if (!stats) {
    if (make) throw unsafeDirectoryError(directory, 'it does not exist. Make it, or choose another');
    return false;
  }
  if (!stats.isDirectory())
    throw unsafeDirectoryError(directory, 'it is a symbolic link or a file. Give the directory itself');
  if (stats.uid !== directory.uid)
    throw unsafeDirectoryError(directory, `it belongs to user ${stats.uid}. Choose one of your own`);
  if ((stats.mode & directory.forbidden) !== 0) {
    const [is, allowed] = [stats.mode, ~directory.forbidden].map((mode) => (mode & 0o777).toString(8).padStart(4, '0'));
    throw unsafeDirectoryError(directory, `its mode is ${is}. Change it to ${allowed} or less, or choose another`);
  }
  return true;
}

function statOf(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

function makeDirectory(path: string): Stats | undefined {
  // Recursive, because another launch may have made it just now.
  mkdirSync(path, { mode: 0o700, recursive: true });
  return statOf(path);
}

function unsafeDirectoryError({ path, uid }: Directory, why: string): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
    `Expected ${path} to be a directory of user ${uid} that nobody else can write to; ${why}.`,
  );
}
