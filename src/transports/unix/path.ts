import { userInfo } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { invalidOptionError, SingletonError } from '../../interface/errors.ts';
import type { Directory } from './directory.ts';

/** Which pipe to use: `name` for a path that the library chooses, a different one for each user; or your own `path`. */
export type PipeOptions =
  | {
      /** The name of your program, such as `com.acme.editor`, without slashes and control characters. */
      readonly name: string;
      /**
       * An absolute path of a directory. The socket is created below it, in a directory of this user alone. All launches
       * must use the same. Ignored on Windows.
       * @default '/tmp'
       */
      readonly directory?: string | undefined;
      readonly path?: undefined;
    }
  | {
      /**
       * An absolute path of at most 88 bytes of UTF-8, in a directory that belongs to you and to which no other user
       * may write. On Windows `\\.\pipe\` followed by a name.
       */
      readonly path: string;
      readonly name?: undefined;
      readonly directory?: undefined;
    };

/** The facts about the system that a path depends on. Tests replace them. */
export interface System {
  readonly platform: NodeJS.Platform;
  /** The effective user: the system makes it the owner of new files. `undefined` if users have no numbers, as on Windows. */
  readonly uid: number | undefined;
  readonly username: () => string;
}

export function thisSystem(): System {
  return { platform: process.platform, uid: process.geteuid?.(), username: () => userInfo().username };
}

export type PipePath = { readonly kind: 'named-pipe'; readonly path: string } | SocketPath;

export interface SocketPath {
  readonly kind: 'socket-file';
  readonly path: string;
  readonly directory: Directory;
}

/** Bytes added to a path while it is being bound: `.`, a process id in base 36 of up to 5 digits, `.`, 6 characters, `/s`. */
export const SUFFIX_BYTES = 15;

/**
 * The limit of macOS, which is the lowest of all systems. Node 20 and 22 truncate a longer path without an error, so that two
 * different paths could become one.
 */
const MAX_BYTES = 103;

/** @throws SingletonError `ERR_SINGLETON_INVALID_OPTION` */
export function resolvePath({ name, path, directory }: PipeOptions, system: System): PipePath {
  if (path === undefined) return resolveName(name, directory, system);
  if (name !== undefined) throw invalidOptionError('path', 'undefined because "name" is set', path);
  if (directory !== undefined) throw invalidOptionError('directory', 'undefined because "path" is set', directory);
  return checkPath(path, system);
}

/**
 * Environment variables such as XDG_RUNTIME_DIR and TMPDIR do not matter: a session, cron and sudo set them differently, and
 * would have a host each.
 */
function resolveName(name: unknown, parent: unknown = '/tmp', { platform, uid, username }: System): PipePath {
  if (typeof name !== 'string' || !NAME.test(name)) {
    throw invalidOptionError('name', 'a name without slashes or control characters, such as com.acme.editor', name);
  }
  if (platform === 'win32') return { kind: 'named-pipe', path: `${PIPE_PREFIX}${name}-${username()}` };
  const path = join(checkAbsolute('directory', parent), `${name}-${uid}`);
  return socketPath('name', join(path, 'socket'), { path, uid, forbidden: 0o077, isOurs: true });
}

function checkPath(path: unknown, { platform, uid }: System): PipePath {
  if (platform === 'win32') {
    if (typeof path === 'string' && NAMED_PIPE.test(path)) return { kind: 'named-pipe', path };
    throw invalidOptionError('path', String.raw`\\.\pipe\ followed by a name`, path);
  }
  const file = checkAbsolute('path', path);
  return socketPath('path', file, { path: dirname(file), uid, forbidden: 0o022, isOurs: false });
}

function checkAbsolute(option: 'path' | 'directory', path: unknown): string {
  if (typeof path === 'string' && path.startsWith('/') && !path.includes('\0') && path.isWellFormed()) {
    return resolve(path);
  }
  throw invalidOptionError(option, 'an absolute path without NUL and unpaired surrogates', path);
}

function socketPath(option: 'name' | 'path', path: string, directory: Directory): SocketPath {
  const bytes = Buffer.byteLength(path);
  if (bytes + SUFFIX_BYTES <= MAX_BYTES) return { kind: 'socket-file', path, directory };
  const remedy =
    option === 'path' ? 'Choose a shorter path' : 'Choose a shorter name, or set "path" or a shorter "directory"';
  throw new SingletonError(
    'ERR_SINGLETON_INVALID_OPTION',
    `Option "${option}": expected a path of at most ${MAX_BYTES - SUFFIX_BYTES} bytes (the system allows ${MAX_BYTES}, ` +
      `and ${SUFFIX_BYTES} are added while it is being bound), got ${bytes} bytes: ${path}. ${remedy}.`,
  );
}

const PIPE_PREFIX = '\\\\.\\pipe\\';
const NAMED_PIPE = /^\\\\[.?]\\pipe\\[^\\]+$/;
const NAME = /^[^/\\\p{Cc}\p{Cs}]+$/u;
