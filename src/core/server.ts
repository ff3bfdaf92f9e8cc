import { SingletonError } from '../interface/errors.ts';
import { abort, type Connection, type Listener } from '../interface/transport.ts';
import { type Ending, unlessOver } from './deadline.ts';
import type { ResolvedOptions } from './options.ts';

/** What a hold knows of its host. */
export interface HeldHost {
  accept(connection: Connection): void;
  /** So many had to make room before. */
  missed(count: number): void;
  /** Resolves when the last connection is closed. */
  settle(): Promise<void>;
}

/** What a hold asks of its owner. */
export interface HoldOwner<Host> {
  /** Loads and makes the host of a place that was got at `since`, in milliseconds since 1970. */
  readonly open: (since: number) => Promise<Host>;
  readonly warn: (warning: SingletonError) => void;
  /** Somebody took the place away. */
  readonly lost: () => void;
}

export type HoldOptions = Pick<ResolvedOptions<never>, 'transport' | 'client' | 'maxConnections'>;

/** The place, from the claim on, and the host that serves it while this process has it. */
export class Hold<Host extends HeldHost> {
  readonly #options: HoldOptions;
  readonly #owner: HoldOwner<Host>;
  /** Who came to this claim before there was a host; `undefined` where nobody is let in. */
  #early: Connection[] | undefined;
  /** How many of them had to make room. */
  #missed = 0;
  #host: Host | undefined;
  #listener: Listener | undefined;
  #since = 0;
  #keepsAlive: boolean | undefined;
  #place: string;

  constructor(options: HoldOptions, owner: HoldOwner<Host>) {
    this.#options = options;
    this.#owner = owner;
    this.#place = options.transport.place;
  }

  get place(): string {
    return this.#place;
  }

  /** There is one from when it was opened, also after the place was given up. */
  get host(): Host | undefined {
    return this.#host;
  }

  get isListening(): boolean {
    return this.#listener !== undefined && this.#host !== undefined;
  }

  /** Takes the place, which is to be opened then; `false` when somebody has it. */
  async listen(claim: Ending): Promise<boolean> {
    const early: Connection[] = [];
    this.#early = early;
    this.#missed = 0;
    const listening = this.#options.transport.listen((connection) => this.#accept(connection, early), {
      onWarning: this.#owner.warn,
      onLost: this.#owner.lost,
      connects: this.#options.client,
    });
    try {
      this.#listener = await unlessOver(listening, claim);
    } catch (error) {
      listening.then((late) => late && this.#free(late)).catch(() => {});
      this.#turnAway();
      throw error;
    }
    if (!this.#listener) {
      this.#turnAway();
      return false;
    }
    this.#place = this.#listener.place;
    this.#since = Date.now();
    return true;
  }

  /** Makes the host and lets in who came meanwhile; gives the place back where it is over before. */
  async open(limit: Ending): Promise<void> {
    try {
      const host = await unlessOver(this.#owner.open(this.#since), limit);
      limit.throwIfOver();
      this.#host = host;
    } catch (error) {
      await this.close();
      throw error;
    }
    if (this.#missed > 0) this.#host.missed(this.#missed);
    // Whoever hears of it may close.
    for (let next = this.#early?.shift(); next; next = this.#early?.shift()) this.#host.accept(next);
  }

  keepAlive(value: boolean): void {
    // Each call goes through all connections.
    if (value === this.#keepsAlive) return;
    this.#keepsAlive = value;
    if (value) this.#listener?.ref();
    else this.#listener?.unref();
  }

  /** Frees the place at once; resolves when the last connection is closed, soon after a second at the latest. */
  async close(): Promise<void> {
    const listener = this.#listener;
    this.#listener = undefined;
    this.#turnAway();
    listener?.ref();
    if (listener) await this.#free(listener);
    await this.#host?.settle();
  }

  async #free(listener: Listener): Promise<void> {
    try {
      await listener.close();
    } catch (cause) {
      const message = 'The place could not be freed.';
      this.#owner.warn(new SingletonError('ERR_SINGLETON_CONNECTION_FAILED', message, { cause }));
    }
  }

  /** A listener that comes too late for its claim has an `early` of its own. */
  #accept(connection: Connection, early: Connection[]): void {
    const isOver = this.#early !== early;
    if (this.#host && !isOver) return this.#host.accept(connection);
    // An error that nobody listens to would end the process.
    connection.on('error', () => {});
    if (isOver) return abort(connection);
    if (early.length >= this.#options.maxConnections) this.#makeRoom(early);
    early.push(connection);
  }

  /** Of too many, one that has gone leaves first, then the one that has waited the longest. */
  #makeRoom(early: Connection[]): void {
    const gone = early.findIndex(({ destroyed }) => destroyed);
    for (const connection of early.splice(Math.max(gone, 0), 1)) abort(connection);
    this.#missed += 1;
  }

  /** Who came to a claim that is given up claims the place itself. */
  #turnAway(): void {
    for (const connection of this.#early ?? []) abort(connection);
    this.#early = undefined;
  }
}
