import { lstatSync, mkdirSync, mkdtempSync, rmdirSync, type Stats, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf, messageOf, SingletonError } from '../../interface/errors.ts';

/** The directory of a socket file. */
export interface Directory {
  readonly path: string;
  /** The user that must own the directory and the socket. */
  readonly uid: number | undefined;
  /** The mode bits that must not be set. */
  readonly forbidden: number;
  /** Whether the library chooses it, and creates it if it is missing. */
  readonly isOurs: boolean;
}

/**
 * Checks that no other user can reach a socket in the directory; never repairs it. With `create`, creates a missing
 * directory that is ours. Returns `false` if it is missing and `create` is `false`.
 * @throws SingletonError `ERR_SINGLETON_ENDPOINT_UNAVAILABLE` if it is unsafe, or missing and not ours to create
 */
export function checkDirectory(directory: Directory, { create }: { readonly create: boolean }): boolean {
  const stats = stat(directory) ?? (create && directory.isOurs ? createDirectory(directory) : undefined);
  if (!stats) {
    if (create) throw unsafeDirectoryError(directory, 'It does not exist. Create it.');
    return false;
  }
  if (!stats.isDirectory()) throw unsafeDirectoryError(directory, 'It is a symbolic link or a file.');
  if (stats.uid !== directory.uid) throw unsafeDirectoryError(directory, `It belongs to user ${stats.uid}.`);
  if ((stats.mode & directory.forbidden) !== 0) {
    const [mode, allowed] = [stats.mode, ~directory.forbidden].map(octal);
    // Of a directory that all users share, such as /tmp, the mode must stay as it is.
    const change = (stats.mode & STICKY) === 0 ? ` Change it to ${allowed}.` : '';
    throw unsafeDirectoryError(directory, `Its mode is ${mode}.${change}`);
  }
  return true;
}

const STICKY = 0o1000;

/** What a user can do if the directory cannot be used. The end of a message. */
export function directoryRemedy({ isOurs }: Directory): string {
  return isOurs
    ? 'Set the option "directory" of pipe() to a directory of your own, or use tcp() with a port'
    : 'Choose a path in another directory of your own, or use tcp() with a port';
}

/** Creates a directory of this user alone, in which a socket is bound. The path of the socket has `SUFFIX_BYTES` more. */
export function createTemporary(path: string): string {
  return mkdtempSync(`${path}.${process.pid.toString(36)}.`);
}

/** The path at which a socket is bound. */
export function socketIn(temporary: string): string {
  return join(temporary, 's');
}

/** Removes a temporary directory and its socket. Does nothing if anything else is in it. */
export function removeTemporary(temporary: string): void {
  try {
    const socket = socketIn(temporary);
    if (lstatSync(socket, { throwIfNoEntry: false })?.isSocket()) unlinkSync(socket);
    rmdirSync(temporary);
  } catch {
    // Another launch may be doing the same. The next host removes what is left.
  }
}

function stat(directory: Directory): Stats | undefined {
  try {
    return lstatSync(directory.path, { throwIfNoEntry: false });
  } catch (cause) {
    throw unsafeDirectoryError(directory, `It cannot be read (${messageOf(cause)}).`, { cause });
  }
}

function createDirectory(directory: Directory): Stats | undefined {
  try {
    mkdirSync(directory.path, { mode: 0o700 });
  } catch (cause) {
    // EEXIST: another launch has created it meanwhile.
    if (codeOf(cause) !== 'EEXIST') {
      throw unsafeDirectoryError(directory, `It cannot be created (${messageOf(cause)}).`, { cause });
    }
  }
  return stat(directory);
}

function octal(mode: number): string {
  return (mode & 0o1777).toString(8).padStart(4, '0');
}

function unsafeDirectoryError(directory: Directory, problem: string, options?: ErrorOptions): SingletonError {
  const { path, uid, forbidden } = directory;
  const others = (forbidden & 0o055) === 0 ? 'can write' : 'has access';
  return new SingletonError(
    'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
    `The socket directory ${path} must be a directory of user ${uid} to which nobody else ${others}. ${problem} ` +
      `${directoryRemedy(directory)}.`,
    options,
  );
}
