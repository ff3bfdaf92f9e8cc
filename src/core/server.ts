import { SingletonError } from '../interface/errors.ts';
import { resetConnection, type Connection, type Listener } from '../interface/transport.ts';
import { type LazyAbortController, raceAbort } from './deadline.ts';
import type { ResolvedOptions } from './options.ts';

/** What a hold knows of its host. */
export interface ServedHost {
  accept(connection: Connection): void;
  /** So many had to make room before. */
  dropped(count: number): void;
  /** Resolves when the last connection is closed. */
  drain(): Promise<void>;
}

/** What a hold asks of its owner. */
export interface ServerOwner<Host> {
  /** Loads and makes the host of an endpoint that was got at `since`, in milliseconds since 1970. */
  readonly open: (since: number) => Promise<Host>;
  readonly warn: (warning: SingletonError) => void;
  /** Somebody took the endpoint away. */
  readonly lost: () => void;
}

export type ServerOptions = Pick<ResolvedOptions<never>, 'transport' | 'client' | 'maxConnections'>;

/** The endpoint, from the claim on, and the host that serves it while this process has it. */
export class Server<Host extends ServedHost> {
  readonly #options: ServerOptions;
  readonly #owner: ServerOwner<Host>;
  /** Who came to this claim before there was a host; `undefined` where nobody is let in. */
  #backlog: Connection[] | undefined;
  /** How many of them had to make room. */
  #dropped = 0;
  #host: Host | undefined;
  #listener: Listener | undefined;
  #since = 0;
  #isRef: boolean | undefined;
  #endpoint: string;

  constructor(options: ServerOptions, owner: ServerOwner<Host>) {
    this.#options = options;
    this.#owner = owner;
    this.#endpoint = options.transport.endpoint;
  }

  get endpoint(): string {
    return this.#endpoint;
  }

  /** There is one from when it was opened, also after the endpoint was given up. */
  get host(): Host | undefined {
    return this.#host;
  }

  get isListening(): boolean {
    return this.#listener !== undefined && this.#host !== undefined;
  }

  /** Takes the endpoint, which is to be opened then; `false` when somebody has it. */
  async listen(claim: LazyAbortController): Promise<boolean> {
    const early: Connection[] = [];
    this.#backlog = early;
    this.#dropped = 0;
    const listening = this.#options.transport.listen((connection) => this.#onConnection(connection, early), {
      onWarning: this.#owner.warn,
      onLost: this.#owner.lost,
      skipProbe: this.#options.client,
    });
    try {
      this.#listener = await raceAbort(listening, claim);
    } catch (error) {
      listening.then((late) => late && this.#closeListener(late)).catch(() => {});
      this.#resetBacklog();
      throw error;
    }
    if (!this.#listener) {
      this.#resetBacklog();
      return false;
    }
    this.#endpoint = this.#listener.endpoint;
    this.#since = Date.now();
    return true;
  }

  /** Makes the host and lets in who came meanwhile; gives the endpoint back where it is over before. */
  async open(limit: LazyAbortController): Promise<void> {
    try {
      const host = await raceAbort(this.#owner.open(this.#since), limit);
      limit.throwIfAborted();
      this.#host = host;
    } catch (error) {
      await this.close();
      throw error;
    }
    if (this.#dropped > 0) this.#host.dropped(this.#dropped);
    // Whoever hears of it may close.
    for (let next = this.#backlog?.shift(); next; next = this.#backlog?.shift()) this.#host.accept(next);
  }

  setRef(value: boolean): void {
    // Each call goes through all connections.
    if (value === this.#isRef) return;
    this.#isRef = value;
    if (value) this.#listener?.ref();
    else this.#listener?.unref();
  }

  /** Frees the endpoint at once; resolves when the last connection is closed, soon after a second at the latest. */
  async close(): Promise<void> {
    const listener = this.#listener;
    this.#listener = undefined;
    this.#resetBacklog();
    listener?.ref();
    if (listener) await this.#closeListener(listener);
    await this.#host?.drain();
  }

  async #closeListener(listener: Listener): Promise<void> {
    try {
      await listener.close();
    } catch (cause) {
      const message = 'The endpoint could not be freed.';
      this.#owner.warn(new SingletonError('ERR_SINGLETON_CONNECTION_FAILED', message, { cause }));
    }
  }

  /** A listener that comes too late for its claim has an `early` of its own. */
  #onConnection(connection: Connection, early: Connection[]): void {
    const isOver = this.#backlog !== early;
    if (this.#host && !isOver) return this.#host.accept(connection);
    // An error that nobody listens to would end the process.
    connection.on('error', () => {});
    if (isOver) return resetConnection(connection);
    if (early.length >= this.#options.maxConnections) this.#makeRoom(early);
    early.push(connection);
  }

  /** Of too many, one that has gone leaves first, then the one that has waited the longest. */
  #makeRoom(early: Connection[]): void {
    const gone = early.findIndex(({ destroyed }) => destroyed);
    for (const connection of early.splice(Math.max(gone, 0), 1)) resetConnection(connection);
    this.#dropped += 1;
  }

  /** Who came to a claim that is given up claims the endpoint itself. */
  #resetBacklog(): void {
    for (const connection of this.#backlog ?? []) resetConnection(connection);
    this.#backlog = undefined;
  }
}
