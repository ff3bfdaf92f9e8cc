import { lstatSync, mkdirSync, type Stats } from 'node:fs';
import { join, resolve } from 'node:path';
import { invalidOptionError, SingletonError } from '../interface/errors.ts';

/** Which pipe to use: `name` for a path that the library chooses, a different one for each user; or your own `path`. */
export type PipeOptions =
  | {
      /** The name of your program, such as `com.acme.editor`, without slashes and control characters. */
      readonly name: string;
      readonly path?: undefined;
    }
  | {
      /**
       * An absolute path of at most 88 bytes of UTF-8, in a directory that belongs to you and to which nobody else may
       * write. On Windows `\\.\pipe\` followed by a name.
       */
      readonly path: string;
      readonly name?: undefined;
    };

/** The facts about the system that a path depends on. Tests replace them. */
export interface System {
  readonly platform: NodeJS.Platform;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly tmpdir: string;
  /** `undefined` if users have no numbers, as on Windows. */
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
  /** The user that must own the directory and the socket. */
  readonly uid: number | undefined;
  /** The mode bits that must not be set. */
  readonly forbidden: number;
  /** Whether the library creates it if it is missing. */
  readonly isOurs: boolean;
}

/** Bytes added to a path while it is being bound: `.`, a process id of up to 7 digits, `.` and 6 characters. */
export const SUFFIX_BYTES = 15;

/**
 * The limit of macOS, which is the lowest of all systems. Node 20 and 22 truncate a longer path without an error, so that two
 * different paths could become one.
 */
const MAX_BYTES = 103;

/** @throws SingletonError `ERR_SINGLETON_INVALID_OPTION` */
export function resolvePath({ name, path }: PipeOptions, system: System): PipePath {
  if (path !== undefined && name !== undefined) {
    throw invalidOptionError('path', 'undefined because "name" is set', path);
  }
  return path === undefined ? resolveName(name, system) : checkPath(path, system);
}

function resolveName(name: unknown, { platform, env, tmpdir, uid, username }: System): PipePath {
  if (typeof name !== 'string' || !NAME.test(name)) {
    throw invalidOptionError('name', 'a name without slashes or control characters, such as com.acme.editor', name);
  }
  if (platform === 'win32') return { kind: 'named-pipe', path: `${PIPE_PREFIX}${name}-${username()}` };
  const runtimeDirectory = env['XDG_RUNTIME_DIR'];
  // The XDG specification says that a path that is not absolute is ignored.
  const hasRuntimeDirectory = runtimeDirectory?.startsWith('/') === true;
  const directory = hasRuntimeDirectory ? resolve(runtimeDirectory) : join(resolve(tmpdir), `${name}-${uid}`);
  return socketPath('name', join(directory, hasRuntimeDirectory ? `${name}.sock` : 'socket'), {
    path: directory,
    uid,
    forbidden: 0o077,
    isOurs: !hasRuntimeDirectory,
  });
}

function checkPath(path: unknown, { platform, uid }: System): PipePath {
  if (platform === 'win32') {
    if (typeof path === 'string' && NAMED_PIPE.test(path)) return { kind: 'named-pipe', path };
    throw invalidOptionError('path', String.raw`\\.\pipe\ followed by a name`, path);
  }
  if (typeof path !== 'string' || !path.startsWith('/') || path.includes('\0') || !path.isWellFormed()) {
    throw invalidOptionError('path', 'an absolute path without NUL and unpaired surrogates', path);
  }
  const file = resolve(path);
  const directory = resolve(file, '..');
  return socketPath('path', file, { path: directory, uid, forbidden: 0o022, isOurs: false });
}

function socketPath(option: 'name' | 'path', path: string, directory: Directory): SocketPath {
  const bytes = Buffer.byteLength(path);
  if (bytes + SUFFIX_BYTES <= MAX_BYTES) return { kind: 'socket-file', path, directory };
  const remedy = option === 'path' ? 'Choose a shorter path' : 'Choose a shorter name, or set "path" instead';
  throw new SingletonError(
    'ERR_SINGLETON_INVALID_OPTION',
    `Option "${option}": expected a path of at most ${MAX_BYTES - SUFFIX_BYTES} bytes (the system allows ${MAX_BYTES}, ` +
      `and ${SUFFIX_BYTES} are added while it is being bound), got ${bytes} bytes: ${path}. ${remedy}.`,
  );
}

const PIPE_PREFIX = '\\\\.\\pipe\\';
const NAMED_PIPE = /^\\\\[.?]\\pipe\\[^\\]+$/;
const NAME = /^[^/\\\p{Cc}\p{Cs}]+$/u;

/**
 * Checks that nobody else can get at a socket in the directory; never repairs it. With `create`, creates a missing
 * directory that is ours. Returns `false` if it is missing and `create` is `false`.
 * @throws SingletonError `ERR_SINGLETON_ENDPOINT_UNAVAILABLE` if it is unsafe, or missing and not ours to create
 */
export function checkDirectory(directory: Directory, { create }: { readonly create: boolean }): boolean {
  const stats = stat(directory.path) ?? (create && directory.isOurs ? createDirectory(directory.path) : undefined);
  if (!stats) {
    if (create) throw unsafeDirectoryError(directory, 'It does not exist. Create it, or choose another directory.');
    return false;
  }
  if (!stats.isDirectory()) {
    throw unsafeDirectoryError(directory, 'It is a symbolic link or a file. Use the path of the directory itself.');
  }
  if (stats.uid !== directory.uid) {
    throw unsafeDirectoryError(
      directory,
      `It belongs to user ${stats.uid}. Choose a directory of user ${directory.uid}.`,
    );
  }
  if ((stats.mode & directory.forbidden) !== 0) {
    const [mode, allowed] = [stats.mode, ~directory.forbidden].map(octal);
    throw unsafeDirectoryError(directory, `Its mode is ${mode}. Change it to ${allowed}, or choose another directory.`);
  }
  return true;
}

function stat(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

function createDirectory(path: string): Stats | undefined {
  // `recursive`: no error if another launch has created it meanwhile.
  mkdirSync(path, { mode: 0o700, recursive: true });
  return stat(path);
}

function octal(mode: number): string {
  return (mode & 0o777).toString(8).padStart(4, '0');
}

function unsafeDirectoryError({ path, uid }: Directory, problem: string): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
    `The socket directory ${path} must be a directory of user ${uid} to which nobody else can write. ${problem}`,
  );
}
