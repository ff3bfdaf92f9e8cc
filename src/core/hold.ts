import { abort, type Connection, type Listener } from '../transports/transport.ts';
import { unlessOver, type Ending } from './ending.ts';
import { SingletonError } from './errors.ts';
import type { ResolvedOptions } from './options.ts';

/** What a hold knows of its host. */
export interface HeldHost {
  accept(connection: Connection): void;
  warn(warning: SingletonError): void;
  /** Resolves when the last connection is closed. */
  settle(): Promise<void>;
}

/** What a hold asks of its owner. */
export interface HoldOwner<Host> {
  /** Loads and makes the host, when the place was got: at `since`, in milliseconds since 1970. */
  readonly open: (since: number) => Promise<Host>;
  /** Somebody took the place away. */
  readonly lost: () => void;
}

export type HoldOptions = Pick<ResolvedOptions<never>, 'transport' | 'client' | 'maxConnections'>;

/** The place, from the claim on, and the host that serves it while this process has it. */
export class Hold<Host extends HeldHost> {
  readonly #options: HoldOptions;
  readonly #owner: HoldOwner<Host>;
  /** What came before there was a host: connections, and warnings of the transport. */
  #early: (Connection | SingletonError)[] | undefined;
  /** How many of them had to make room. */
  #missed = 0;
  #host: Host | undefined;
  #listener: Listener | undefined;
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

  /** There is one from when the place was got, also after it was given up. */
  get host(): Host | undefined {
    return this.#host;
  }

  get isListening(): boolean {
    return this.#listener !== undefined && this.#host !== undefined;
  }

  /** Whether it has the place, and not yet what a host needs. */
  get isLoading(): boolean {
    return this.#listener !== undefined && this.#host === undefined;
  }

  /** Takes the place; `false` when somebody has it. A place that is got when the claim is over is given back. */
  async listen(claim: Ending): Promise<boolean> {
    this.#early = [];
    this.#missed = 0;
    const listening = this.#options.transport.listen(this.#accept, {
      onWarning: this.#warn,
      onLost: this.#owner.lost,
      connects: this.#options.client,
    });
    let listener: Listener | undefined;
    try {
      listener = await unlessOver(listening, claim);
      if (!listener) return false;
      this.#listener = listener;
      this.#place = listener.place;
      this.#host = await unlessOver(this.#owner.open(Date.now()), claim);
    } catch (error) {
      if (!listener) listening.then((late) => late?.close()).catch(() => {});
      this.#turnAway();
      await this.close();
      throw error;
    }
    this.#welcome(this.#host);
    return true;
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
    listener?.ref();
    try {
      await listener?.close();
    } finally {
      await this.#host?.settle();
    }
  }

  readonly #accept = (connection: Connection): void => {
    if (this.#host) return this.#host.accept(connection);
    // An error that nobody listens to would end the process.
    connection.on('error', () => {});
    if (this.#early) this.#keep(connection);
    else abort(connection);
  };

  readonly #warn = (warning: SingletonError): void => {
    if (this.#host) this.#host.warn(warning);
    else this.#keep(warning);
  };

  /** The oldest makes room; its client tries again. */
  #keep(what: Connection | SingletonError): void {
    const early = this.#early ?? [];
    early.push(what);
    if (early.length <= this.#options.maxConnections) return;
    this.#missed += 1;
    const oldest = early.shift();
    if (oldest && !(oldest instanceof SingletonError)) abort(oldest);
  }

  #welcome(host: Host): void {
    if (this.#missed > 0) host.warn(missed(this.#missed));
    for (const one of this.#early ?? []) {
      if (one instanceof SingletonError) host.warn(one);
      else host.accept(one);
    }
    this.#early = undefined;
  }

  /** Who came to a claim that is given up claims the place itself. */
  #turnAway(): void {
    for (const one of this.#early ?? []) if (!(one instanceof SingletonError)) abort(one);
    this.#early = undefined;
  }
}

function missed(count: number): SingletonError {
  const message = `${count} connections were cut off before this host could read them: more than maxConnections came.`;
  return new SingletonError('ERR_SINGLETON_BUSY', message);
}
