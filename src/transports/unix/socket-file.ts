import { type BigIntStats, chmodSync, linkSync, lstatSync, readdirSync, unlinkSync, utimesSync } from 'node:fs';
import { createConnection } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { codeOf, messageOf, SingletonError } from '../../interface/errors.ts';
import { type KernelMutex, lockFilePath } from './kernel-mutex.ts';
import { type Directory, directoryRemedy, removeTemporary, socketIn } from './directory.ts';

/**
 * The file of a host's socket. It outlives a host that crashes. Three rules make that safe:
 *
 * 1. A host listens in a temporary directory first, then hard-links that socket to the path. So a socket at the path always
 *    listens from the start, and of many simultaneous links exactly one succeeds. Nobody else has access to the temporary
 *    directory, so no other user can connect before the socket has its mode.
 * 2. A socket that refuses connections is stale. It is checked again, and removed, only under a mutex that the kernel
 *    releases. So a launch never removes the socket of a newer host.
 * 3. A host removes the path only if it is its own socket, and before it stops listening. Until then no other process
 *    removes the path, so this needs no mutex and the endpoint is free at once.
 */
export class SocketFile {
  readonly #path: string;
  readonly #directory: Directory;
  readonly #mutex: KernelMutex;
  /** The device and inode of our socket. No other file has them while our socket listens. */
  #ourInode: string | undefined;
  #unlockMutex: (() => void) | undefined;

  constructor(path: string, directory: Directory, mutex: KernelMutex) {
    this.#path = path;
    this.#directory = directory;
    this.#mutex = mutex;
  }

  /**
   * Whether there is a socket at the path.
   * @throws SingletonError `ERR_SINGLETON_ENDPOINT_UNAVAILABLE` if there is something else, or another user's socket
   */
  get exists(): boolean {
    return this.#stat() !== undefined;
  }

  /** Links the socket in the temporary directory to the path. Returns `false` if another process has the path. */
  async link(temporary: string): Promise<boolean> {
    const socket = socketIn(temporary);
    chmodSync(socket, 0o600);
    if (this.#mutex.heldForProcessLifetime && !(await this.#lock())) return false;
    try {
      while (!tryLink(socket, this.#path)) if (!(await this.#removeStale())) return false;
      this.#ourInode = inodeOf(socket);
      await removeLeftovers(this.#path);
      return true;
    } finally {
      if (!this.#mutex.heldForProcessLifetime || this.#ourInode === undefined) this.#unlock();
    }
  }

  /** What is at the path. A file that cannot be read counts as our socket. */
  get state(): 'ours' | 'missing' | 'replaced' {
    try {
      const inode = inodeOf(this.#path);
      if (inode === undefined) return 'missing';
      return inode === this.#ourInode ? 'ours' : 'replaced';
    } catch {
      return 'ours';
    }
  }

  /**
   * Makes our files look new. Programs that remove old files ask the system which sockets are in use, but it knows ours by the
   * temporary path only.
   */
  refreshTimes(): void {
    const now = Date.now();
    try {
      for (const path of [this.#path, ...(this.#mutex.heldForProcessLifetime ? [lockFilePath(this.#path)] : [])]) {
        if (now - Number(stat(path)?.mtimeMs ?? now) > MAX_AGE) utimesSync(path, now / 1000, now / 1000);
      }
    } catch {
      // The file was removed meanwhile, or the file system keeps no times. If it is removed, the host binds it anew.
    }
  }

  /** Removes our socket from the path. Call it before the socket stops listening. */
  unlink(): void {
    try {
      if (this.#ourInode !== undefined && this.state === 'ours') unlinkSync(this.#path);
    } finally {
      this.#ourInode = undefined;
      this.#unlock();
    }
  }

  /** Removes a socket that refuses connections. Returns `false` if it accepts them, or if another process has the mutex. */
  async #removeStale(): Promise<boolean> {
    const seen = this.#stat();
    if (seen === undefined) return true;
    if (await isListening(this.#path)) return false;
    if (!(await this.#lock())) return false;
    // Before we had the mutex, another launch may have removed the stale socket and linked its own.
    if (await isListening(this.#path)) return false;
    if (this.#stat() === seen) unlinkSync(this.#path);
    return true;
  }

  async #lock(): Promise<boolean> {
    this.#unlockMutex ??= await this.#mutex.tryLock(this.#path);
    return this.#unlockMutex !== undefined;
  }

  #unlock(): void {
    this.#unlockMutex?.();
    this.#unlockMutex = undefined;
  }

  /** Identifies the socket at the path, even if an inode number is reused. Throws if it is not a socket of this user. */
  #stat(): string | undefined {
    let stats: BigIntStats | undefined;
    try {
      stats = stat(this.#path);
    } catch (cause) {
      throw this.#unusableError(`it cannot be read (${messageOf(cause)})`, { cause });
    }
    if (!stats) return undefined;
    if (!stats.isSocket()) throw this.#unusableError('it is in use by a file that is not a socket');
    if (stats.uid !== BigInt(this.#directory.uid ?? 0)) {
      throw this.#unusableError(`it is in use by a socket of user ${stats.uid}`);
    }
    return `${stats.dev} ${stats.ino} ${stats.ctimeNs}`;
  }

  #unusableError(problem: string, options?: ErrorOptions): SingletonError {
    return new SingletonError(
      'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
      `Cannot use the socket path ${this.#path}: ${problem}. Nothing was changed. ${directoryRemedy(this.#directory)}.`,
      options,
    );
  }
}

/** Milliseconds. Programs that clean temporary directories remove files that are days old. */
const MAX_AGE = 3_600_000;

/**
 * Removes the temporary directories of launches that were killed while they were binding. If the process of one is running,
 * its directory stays. A launch in another container may look dead: if its socket is removed, it fails and nothing else
 * happens.
 */
async function removeLeftovers(path: string): Promise<void> {
  const prefix = `${basename(path)}.`;
  try {
    for (const name of readdirSync(dirname(path))) {
      const pid = name.startsWith(prefix) ? TEMPORARY_SUFFIX.exec(name.slice(prefix.length))?.[1] : undefined;
      if (pid === undefined || isRunning(Number.parseInt(pid, 36))) continue;
      const directory = join(dirname(path), name);
      if (isPrivateDirectory(directory) && !(await isListening(socketIn(directory)))) removeTemporary(directory);
    }
  } catch {
    // The path is ours in any case.
  }
}

const TEMPORARY_SUFFIX = /^([a-z\d]{1,6})\.[A-Za-z\d]{6}$/;

function isPrivateDirectory(path: string): boolean {
  const stats = stat(path);
  return stats !== undefined && stats.isDirectory() && (stats.mode & 0o777n) === 0o700n;
}

/** Probes: connects and disconnects without sending a byte. An error that proves nothing counts as listening. */
function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ path });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    // EAGAIN: the queue is full, so the host is alive and busy.
    socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code !== 'ECONNREFUSED' && code !== 'ENOENT'));
  });
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return codeOf(error) !== 'ESRCH';
  }
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

function inodeOf(path: string): string | undefined {
  const stats = stat(path);
  return stats && `${stats.dev} ${stats.ino}`;
}

function stat(path: string): BigIntStats | undefined {
  return lstatSync(path, { bigint: true, throwIfNoEntry: false });
}
