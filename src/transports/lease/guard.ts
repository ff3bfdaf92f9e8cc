import { clearInterval, clearTimeout, setInterval, setTimeout } from '../../interface/timers.ts';
import { type Connection, resetConnection, type Watcher } from '../../interface/transport.ts';
import { requestTimeout, type ResolvedLeaseOptions } from './options.ts';
import { backgroundRequest } from './requests.ts';

/** Milliseconds after which a connection is guarded: most launches have been delivered before. */
const DELAY = 300;

/** Milliseconds for which a deposed host that has sent something may still answer. */
const GRACE = 2000;

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
  #grace: NodeJS.Timeout | undefined;

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
    clearTimeout(this.#grace);
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
    const reset = (): void => resetConnection(this.#connection);
    if (hasReceived(this.#connection)) this.#grace ??= setTimeout(reset, GRACE).unref();
    else reset();
  }
}

function hasReceived(connection: Connection & { readonly bytesRead?: number }): boolean {
  return connection.bytesRead !== 0;
}
