import { type FSWatcher, watch } from 'node:fs';
import { dirname } from 'node:path';
import { SingletonError } from '../../interface/errors.ts';
import { clearInterval, setInterval } from '../../interface/timers.ts';
import type { Listener, ListenOptions } from '../../interface/transport.ts';
import type { SocketFile } from './socket-file.ts';

/** A socket that listens, and its file at the path. */
export interface Bound {
  readonly listener: Listener;
  readonly file: SocketFile;
}

/**
 * The listener of a host at a socket path. If the file is removed, it binds a new socket at the path. The endpoint is lost only
 * if another process has the path, or if it cannot be bound again.
 */
export class UnixListener implements Listener {
  readonly endpoint: string;
  readonly #path: string;
  /** Resolves to `undefined` if another process has the path. */
  readonly #bind: () => Promise<Bound | undefined>;
  readonly #options: ListenOptions;
  #state: 'bound' | 'rebinding' | 'lost' | 'closed' = 'bound';
  #file: SocketFile;
  /** The latest first. After a socket lost its file, connections may still wait in its queue. */
  readonly #listeners: Listener[];
  #watcher: { close(): void };
  #rebinding: Promise<void> | undefined;
  #isRef = true;

  constructor(path: string, { listener, file }: Bound, bind: () => Promise<Bound | undefined>, options: ListenOptions) {
    this.endpoint = listener.endpoint;
    this.#path = path;
    this.#bind = bind;
    this.#options = options;
    this.#file = file;
    this.#listeners = [listener];
    this.#watcher = watchFile(path, this.#check);
  }

  get descriptor(): number | undefined {
    return this.#listeners[0]?.descriptor;
  }

  async close(): Promise<void> {
    this.#state = 'closed';
    this.#watcher.close();
    try {
      this.#file.unlink();
    } finally {
      for (const listener of this.#listeners) await listener.close();
      await this.#rebinding;
    }
  }

  ref(): void {
    this.#isRef = true;
    for (const listener of this.#listeners) listener.ref();
  }

  unref(): void {
    this.#isRef = false;
    for (const listener of this.#listeners) listener.unref();
  }

  readonly #check = (): void => {
    if (this.#state !== 'bound') return;
    const { state } = this.#file;
    if (state === 'ours') this.#file.refreshTimes();
    else if (state === 'replaced') this.#lose();
    else this.#rebinding = this.#rebind();
  };

  async #rebind(): Promise<void> {
    this.#state = 'rebinding';
    this.#watcher.close();
    // The file is gone. This unlocks the mutex, which the new file needs.
    this.#file.unlink();
    try {
      const bound = await this.#bind();
      if (bound) await this.#onRebound(bound);
      else this.#lose();
    } catch (error) {
      if (error instanceof SingletonError) this.#options.onWarning(error);
      this.#lose();
    }
  }

  async #onRebound({ listener, file }: Bound): Promise<void> {
    if (this.#state === 'closed') {
      file.unlink();
      return listener.close();
    }
    this.#state = 'bound';
    this.#file = file;
    if (!this.#isRef) listener.unref();
    this.#listeners.unshift(listener);
    this.#watcher = watchFile(this.#path, this.#check);
    await this.#listeners[2]?.close();
  }

  #lose(): void {
    if (this.#state === 'closed') return;
    this.#state = 'lost';
    this.#watcher.close();
    this.#options.onLost();
  }
}

/** Calls `check` when something changes in the directory of a file, and every 5 s. Does not keep the process alive. */
export function watchFile(path: string, check: () => void): { close(): void } {
  const timer = setInterval(check, CHECK_INTERVAL).unref();
  const watcher = tryWatch(dirname(path), check);
  return {
    close() {
      clearInterval(timer);
      watcher?.close();
    },
  };
}

/** Milliseconds. Some file systems report no changes. */
const CHECK_INTERVAL = 5000;

/** Returns `undefined` if the system's limit of watchers is reached. */
function tryWatch(directory: string, check: () => void): FSWatcher | undefined {
  try {
    // An error ends the watcher. The timer continues.
    return watch(directory, { persistent: false }, check).on('error', () => {});
  } catch {
    return undefined;
  }
}
