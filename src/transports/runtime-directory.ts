import { lstatSync, mkdirSync, type Stats } from 'node:fs';
import { SingletonError } from '../core/errors.ts';
import type { Directory } from './pipe-path.ts';

/**
 * Looks at the directory of a socket file, and does not repair it. `false`: there is none, and it is not made here.
 * @throws SingletonError `ERR_SINGLETON_PLACE_UNAVAILABLE` where another user could get at what is in it
 */
export function checkDirectory(directory: Directory, { make }: { readonly make: boolean }): boolean {
  const stats = lookAt(directory.path) ?? (make && directory.isOurs ? made(directory.path) : undefined);
  if (!stats) {
    if (make) throw unsafe(directory, 'it does not exist. Make it, or choose another');
    return false;
  }
  if (!stats.isDirectory()) throw unsafe(directory, 'it is a symbolic link or a file. Give the directory itself');
  if (stats.uid !== directory.uid) throw unsafe(directory, `it belongs to user ${stats.uid}. Choose one of your own`);
  if ((stats.mode & directory.forbidden) !== 0) {
    const [is, allowed] = [stats.mode, ~directory.forbidden].map((mode) => (mode & 0o777).toString(8).padStart(4, '0'));
    throw unsafe(directory, `its mode is ${is}. Change it to ${allowed} or less, or choose another`);
  }
  return true;
}

function lookAt(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

function made(path: string): Stats | undefined {
  // Recursive, because another launch may have made it just now.
  mkdirSync(path, { mode: 0o700, recursive: true });
  return lookAt(path);
}

function unsafe({ path, uid }: Directory, why: string): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_PLACE_UNAVAILABLE',
    `Expected ${path} to be a directory of user ${uid} that nobody else can write to; ${why}.`,
  );
}
