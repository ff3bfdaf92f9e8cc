import { type BigIntStats, chmodSync, linkSync, lstatSync, readdirSync, unlinkSync } from 'node:fs';
import { createConnection } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { SingletonError } from '../interface/errors.ts';
import type { KernelMutex } from './kernel-mutex.ts';

/**
 * The name of a host's socket in the file system, which outlives a host that crashes. What makes it safe:
 *
 * 1. A host listens under a temporary name and links that to the path: what is at the path always listens, and of many
 *    that link one succeeds.
 * 2. A socket that refuses connections is stale. It is looked at again, and removed, under a mutex that the kernel
 *    releases: nobody removes the socket of who came after.
 * 3. A host removes the path only where it is its own socket, and before it stops to listen: until then nobody else
 *    does, so that this needs no mutex and the endpoint is free at once.
 */
export class SocketFile {
  readonly #path: string;
  readonly #uid: number | undefined;
  readonly #mutex: KernelMutex;
  /** The inode of the own socket, which is no other's as long as that listens. */
  #own: string | undefined;
  /** Lets go of the mutex. */
  #release: (() => void) | undefined;

  constructor(path: string, uid: number | undefined, mutex: KernelMutex) {
    this.#path = path;
    this.#uid = uid;
    this.#mutex = mutex;
  }

  /**
   * Whether there is a socket at the path.
   * @throws SingletonError `ERR_SINGLETON_ENDPOINT_UNAVAILABLE` where there is something else, or another user's
   */
  get exists(): boolean {
    return this.#look() !== undefined;
  }

  /** Gives the path to the socket that listens at `temporary`. `false`: somebody else has it. */
  async link(temporary: string): Promise<boolean> {
    chmodSync(temporary, 0o600);
    if (this.#mutex.isForLife && !(await this.#hold())) return false;
    try {
      while (!tryLink(temporary, this.#path)) if (!(await this.#clear())) return false;
      this.#own = inodeOf(temporary);
      unlinkSync(temporary);
      await tidy(this.#path);
      return true;
    } finally {
      if (!this.#mutex.isForLife || this.#own === undefined) this.#letGo();
    }
  }

  /** Whether the path is still that of the own socket, as far as can be seen. */
  get isOwn(): boolean {
    try {
      return this.#own !== undefined && inodeOf(this.#path) === this.#own;
    } catch {
      return true;
    }
  }

  /** Takes the own socket's path away, before it stops to listen. */
  unlink(): void {
    try {
      if (this.isOwn) unlinkSync(this.#path);
    } finally {
      this.#own = undefined;
      this.#letGo();
    }
  }

  /** Removes the path where nobody listens. `false`: somebody does, or is about to find out too. */
  async #clear(): Promise<boolean> {
    const seen = this.#look();
    if (seen === undefined) return true;
    if (await isAnswered(this.#path)) return false;
    if (!(await this.#hold())) return false;
    // It may have been cleared meanwhile, and a host have come.
    if (await isAnswered(this.#path)) return false;
    if (this.#look() === seen) unlinkSync(this.#path);
    return true;
  }

  async #hold(): Promise<boolean> {
    this.#release ??= await this.#mutex.tryHold(this.#path);
    return this.#release !== undefined;
  }

  #letGo(): void {
    this.#release?.();
    this.#release = undefined;
  }

  /** What tells the socket at the path from any other. */
  #look(): string | undefined {
    const stats = lookAt(this.#path);
    if (!stats) return undefined;
    if (!stats.isSocket()) throw foreign(this.#path, 'something else is there, and is left alone');
    if (stats.uid !== BigInt(this.#uid ?? 0)) throw foreign(this.#path, `one of user ${stats.uid} is there`);
    return `${stats.dev} ${stats.ino} ${stats.ctimeNs}`;
  }
}

/**
 * Removes the temporary names of launches that were killed at the wrong moment. One that is alive would only fail, and its
 * process is seen to be so, unless it is in another container.
 */
async function tidy(path: string): Promise<void> {
  const prefix = `${basename(path)}.`;
  try {
    for (const name of readdirSync(dirname(path))) {
      const pid = name.startsWith(prefix) ? TEMPORARY.exec(name.slice(prefix.length))?.[1] : undefined;
      if (pid === undefined || isRunning(Number(pid))) continue;
      const file = join(dirname(path), name);
      if (lookAt(file)?.isSocket() && !(await isAnswered(file))) unlinkSync(file);
    }
  } catch {
    // Another launch may do the same. What stays is left for the next one.
  }
}

const TEMPORARY = /^(\d{1,7})\.[a-z\d]{6}$/;

/** A name that no other launch has, of at most `SUFFIX_BYTES` more. */
export function temporaryName(path: string): string {
  return `${path}.${process.pid}.${Math.random().toString(36).slice(2, 8).padEnd(6, '0')}`;
}

/** Whether somebody listens; what cannot be found out counts as yes. Knocks: connects, and leaves without a byte. */
function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ path });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    // A full queue is EAGAIN: somebody is there, and busy.
    socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code !== 'ECONNREFUSED' && code !== 'ENOENT'));
  });
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return !hasCode(error, 'ESRCH');
  }
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw error;
  }
}

function inodeOf(path: string): string | undefined {
  const stats = lookAt(path);
  return stats && `${stats.dev} ${stats.ino}`;
}

function lookAt(path: string): BigIntStats | undefined {
  return lstatSync(path, { bigint: true, throwIfNoEntry: false });
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

function foreign(path: string, why: string): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
    `Expected a socket of this user at ${path}, or nothing; ${why}. Choose another path.`,
  );
}
