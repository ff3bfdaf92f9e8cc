import { clearTimeout, setTimeout } from '../../interface/timers.ts';
import { type Connection, type ConnectOptions, KEEP_ALIVE_DELAY, type Watcher } from '../../interface/transport.ts';
import { endpointAt, tcp } from '../tcp.ts';
import { evictDead } from './eviction.ts';
import { guard } from './guard.ts';
import { type HostRecord, parseRecord } from './record.ts';
import { requestTimeout, type ResolvedLeaseOptions } from './options.ts';
import { pause, persistentRequest, toError } from './requests.ts';
import type { HeldLease, LeaseStore } from './store.ts';

/** Milliseconds in which a TCP connection must be established. The system sends its first packet again after one second. */
const CONNECT_TIMEOUT = 2000;

/** Milliseconds between two attempts while the host cannot be reached and the store reports no change. */
const RETRY_INTERVAL = 1000;

/** Milliseconds for which the read of `listen` is recent enough for `connect`. */
const MAX_READ_AGE = 1000;

/** The side of a lease that connects to its holder. */
export class LeaseClient {
  readonly #options: ResolvedLeaseOptions;
  #lastRead: { readonly held: HeldLease; readonly at: number } | undefined;

  constructor(options: ResolvedLeaseOptions) {
    this.#options = options;
  }

  /** The next `connect` need not ask the store again. */
  expect(held: HeldLease): void {
    this.#lastRead = { held, at: this.#options.clock.now() };
  }

  /** Waits as long as the key is held and its host cannot be reached. */
  async connect(options: ConnectOptions): Promise<Connection | undefined> {
    const { signal, onRetry } = options;
    const { store } = this.#options;
    signal.throwIfAborted();
    let change: KeyChange | undefined;
    try {
      for (let held = this.#takeLastRead(); ; held = undefined) {
        held ??= await this.#read(options);
        if (!held) return undefined;
        const record = parseRecord(held.value, store.endpoint);
        const connection = await dial(record, signal, change);
        if (!(connection instanceof Error)) return this.#guarded(connection, held.token);
        onRetry?.(connection);
        if (await evictDead(held, this.#options, options)) return undefined;
        change ??= new KeyChange(store);
        await change.wait(RETRY_INTERVAL, signal);
      }
    } finally {
      change?.close();
    }
  }

  #takeLastRead(): HeldLease | undefined {
    const last = this.#lastRead;
    this.#lastRead = undefined;
    return last && this.#options.clock.now() - last.at <= MAX_READ_AGE ? last.held : undefined;
  }

  #read(options: ConnectOptions): Promise<HeldLease | undefined> {
    const { store, ttl } = this.#options;
    return persistentRequest((storeOptions) => store.read(storeOptions), requestTimeout(ttl), options);
  }

  #guarded(connection: Connection, token: number): Connection {
    if (connection.destroyed) return connection;
    connection.setKeepAlive?.(true, KEEP_ALIVE_DELAY);
    guard(connection, token, this.#options);
    return Object.assign(connection, { token });
  }
}

/** Connects, within a time or until the key changes. Returns the error if the host cannot be reached. */
async function dial(
  { address, port }: HostRecord,
  signal: AbortSignal,
  change: KeyChange | undefined,
): Promise<Connection | Error> {
  const endpoint = endpointAt(address, port);
  const controller = new AbortController();
  const abort = (): void => controller.abort(signal.reason);
  const giveUp = (why: string): void => controller.abort(new Error(`Could not connect to ${endpoint}: ${why}.`));
  signal.addEventListener('abort', abort, { once: true });
  change?.onNext(() => giveUp('the key has changed'));
  const timer = setTimeout(() => giveUp(`no answer within ${CONNECT_TIMEOUT} ms`), CONNECT_TIMEOUT);
  try {
    const connection = await tcp({ address, port }).connect({ signal: controller.signal });
    return connection ?? new Error(`Could not connect to ${endpoint}: the connection was refused.`);
  } catch (error) {
    signal.throwIfAborted();
    return toError(error);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  }
}

/** Watches the key while its host cannot be reached. */
class KeyChange {
  readonly #watcher: Watcher;
  #hasChanged = false;
  #callback: (() => void) | undefined;

  constructor(store: LeaseStore) {
    this.#watcher = store.watch(() => {
      this.#hasChanged = true;
      this.#callback?.();
    });
  }

  /** Calls back at the next change. Forgets those before, and the callback before. */
  onNext(callback: () => void): void {
    this.#hasChanged = false;
    this.#callback = callback;
  }

  /** Resolves at a change since `onNext`, or after the time. Rejects with the reason when the signal aborts. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    const woken = new AbortController();
    this.#callback = () => woken.abort();
    if (this.#hasChanged) return;
    await pause(ms, signal, woken.signal);
  }

  close(): void {
    this.#watcher.close();
  }
}
