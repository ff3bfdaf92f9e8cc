import { clearInterval, clearTimeout, setInterval, setTimeout } from '../../interface/timers.ts';
import { type Connection, resetConnection, type Watcher } from '../../interface/transport.ts';
import { requestTimeout, type ResolvedLeaseOptions } from './options.ts';
import { backgroundRequest } from './requests.ts';

/** Milliseconds after which a connection is guarded: most launches have been delivered before. */
const DELAY = 300;

/** Milliseconds of silence after which a host that has lost the key counts as dead. A host that drains sends four pings in this time. */
const MAX_SILENCE = 2000;

/**
 * Resets a connection when its host has lost the key: no end arrives from a machine without power, or from a process that is
 * stopped. It ends with the connection, and does not keep the process alive.
 */
export function guard(connection: Connection, token: number, options: ResolvedLeaseOptions): void {
  let keyGuard: KeyGuard | undefined;
  const timer = setTimeout(() => (keyGuard = new KeyGuard(connection, token, options)), DELAY).unref();
  connection.once('close', () => {
    clearTimeout(timer);
    keyGuard?.close();
  });
}

class KeyGuard {
  readonly #connection: Connection;
  readonly #token: number;
  readonly #options: ResolvedLeaseOptions;
  readonly #closed = new AbortController();
  readonly #watcher: Watcher;
  readonly #interval: NodeJS.Timeout;
  #silence: NodeJS.Timeout | undefined;
  /** How many bytes the host had sent at the last check of its silence. */
  #bytesRead: number | undefined;

  constructor(connection: Connection, token: number, options: ResolvedLeaseOptions) {
    this.#connection = connection;
    this.#token = token;
    this.#options = options;
    const check = (): void => void this.#check();
    this.#watcher = options.store.watch(check);
    // A watch may miss a change.
    this.#interval = setInterval(check, options.ttl / 2).unref();
    check();
  }

  close(): void {
    this.#closed.abort();
    this.#watcher.close();
    clearInterval(this.#interval);
    clearInterval(this.#silence);
  }

  async #check(): Promise<void> {
    const { store, ttl } = this.#options;
    try {
      const held = await backgroundRequest((each) => store.read(each), requestTimeout(ttl), this.#closed.signal);
      if (held?.token !== this.#token && !this.#closed.signal.aborted) this.#onLost();
    } catch {
      // The next check may reach the store. Without it, no other process can get the key either.
    }
  }

  #onLost(): void {
    if (bytesRead(this.#connection) === 0) return resetConnection(this.#connection);
    this.#silence ??= setInterval(() => this.#checkSilence(), MAX_SILENCE).unref();
    this.#bytesRead ??= bytesRead(this.#connection);
  }

  #checkSilence(): void {
    const before = this.#bytesRead;
    this.#bytesRead = bytesRead(this.#connection);
    if (this.#bytesRead === before) resetConnection(this.#connection);
  }
}

/** `undefined` if the connection does not count them: then it is reset after `MAX_SILENCE`. */
function bytesRead(connection: Connection & { readonly bytesRead?: number }): number | undefined {
  return connection.bytesRead;
}
