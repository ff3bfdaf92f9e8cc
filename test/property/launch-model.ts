import {
  type Client,
  type Connection,
  MultipleSingletonsError,
  type Receipt,
  type ReleaseReason,
  type Singleton,
  SingletonError,
} from '../../src/index.ts';

/** The default of `receiveTimeout`: what a host gives to a connection for its launch. */
export const RECEIVE_TIMEOUT = 5000;
/** The default of `deliveryTimeout`. */
export const DELIVERY_TIMEOUT = 10_000;
/** What a release gives to launches at least. */
export const RELEASE_TIME = 1000;
/** What it then gives to the last message of each connection. */
export const FLUSH_TIME = 200;

/** What became of a launch. `died`: its own process was killed. */
export type Outcome = 'host' | 'died' | Receipt | { readonly code: string };

/** The work of a host for a launch: it was dispatched. */
export interface Work {
  readonly launch: Launch;
  readonly host: Program;
  readonly end: (fails: boolean) => void;
  /** Missing while it is at work. */
  endedAt?: number;
  hasFailed?: boolean;
}

/** One launch, and what happened to it. Its name is its only argument, and its version. */
export class Launch {
  readonly name: string;
  readonly isWaiting: boolean;
  readonly startedAt: number = performance.now();
  readonly controller: AbortController = new AbortController();
  /** Its dispatches, that of a host to itself (`self`) among them. */
  readonly works: Work[] = [];
  /** The hosts that counted it. Empty if the codec does not carry the version. */
  readonly counts: Program[] = [];
  outcome: Outcome | undefined;
  endedAt: number = Infinity;
  /** Whether one of its connections was cut. */
  isCut = false;
  /** Whether the endpoint was free at some time. */
  wasEndpointFree: boolean;

  constructor(name: string, isWaiting: boolean, isEndpointFree: boolean) {
    this.name = name;
    this.isWaiting = isWaiting;
    this.wasEndpointFree = isEndpointFree;
  }

  /** Only the first outcome counts: a process that was killed has no other. */
  settle(outcome: Outcome): void {
    if (this.outcome !== undefined) return;
    this.outcome = outcome;
    this.endedAt = performance.now();
  }

  /** @throws what is no error of the library */
  fail(error: unknown): void {
    if (error instanceof MultipleSingletonsError) this.settle(error.receipt);
    else if (error instanceof SingletonError) this.settle({ code: error.code });
    else throw error;
  }
}

interface Accepted {
  readonly connection: Connection;
  readonly at: number;
  isCounted: boolean;
}

/** A process with a Singleton, and what it does as host. */
export class Program {
  readonly launch: Launch;
  readonly app: Singleton;
  readonly isStandby: boolean;
  readonly isSelf: boolean;
  readonly reasons: ReleaseReason[] = [];
  readonly #accepted = new Map<string, Accepted>();
  /** What it works on. */
  readonly works: Set<Work> = new Set();
  /** After its crash it counts for nothing, although its Singleton is still there, in the process of the test. */
  isDead = false;
  hasBeenHost = false;
  /** Whether it had work after the last step. */
  wasBusy = false;
  /** When the last launch that was on its way after the last step has to be complete. */
  receivesUntil = -Infinity;
  /** When something began or ended. */
  activeAt = 0;
  releasedAt: number = Infinity;
  /** `undefined`: it releases by itself. */
  expectedReason: ReleaseReason | undefined;
  #drain = 0;
  #sessions = 0;

  constructor(launch: Launch, app: Singleton, { isStandby, isSelf }: Record<'isStandby' | 'isSelf', boolean>) {
    this.launch = launch;
    this.app = app;
    this.isStandby = isStandby;
    this.isSelf = isSelf;
  }

  get name(): string {
    return this.launch.name;
  }

  get isHost(): boolean {
    return !this.isDead && this.app.listening;
  }

  /** Whether it waits until it can be the host. */
  get isWaiting(): boolean {
    return this.isStandby && this.launch.outcome === undefined && this.releasedAt === Infinity;
  }

  /** When a release cuts what is left. */
  get cutsAt(): number {
    return this.releasedAt + Math.max(this.#drain, RELEASE_TIME);
  }

  /** Whether it was host, and its release is not complete. */
  get isReleasing(): boolean {
    return !this.isDead && this.hasBeenHost && !this.app.listening && this.reasons.length === 0;
  }

  accept(remoteAddress: string, connection: Connection): void {
    // It has none, and `client.remoteAddress` is to say which connection a client has.
    Object.assign(connection, { remoteAddress });
    this.#accepted.set(remoteAddress, { connection, at: performance.now(), isCounted: false });
  }

  /** `false` if its connection was counted already. */
  count({ remoteAddress = '' }: Client): boolean {
    const accepted = this.#accepted.get(remoteAddress);
    if (!accepted || accepted.isCounted) return false;
    accepted.isCounted = true;
    if (this.app.listening) this.activeAt = performance.now();
    return true;
  }

  expectRelease(reason: ReleaseReason, drain: number): void {
    if (this.releasedAt < Infinity) return;
    this.releasedAt = performance.now();
    this.expectedReason = reason;
    this.#drain = drain;
  }

  /** Looks at the Singleton after a step. */
  update(): void {
    const { app } = this;
    const now = performance.now();
    if (app.listening && !this.hasBeenHost) {
      this.hasBeenHost = true;
      this.activeAt = now;
    }
    if (this.hasBeenHost && !app.listening) this.releasedAt = Math.min(this.releasedAt, now);
    if (!app.listening) return;
    if (app.sessions < this.#sessions) this.activeAt = now;
    this.#sessions = app.sessions;
    this.wasBusy = this.works.size > 0 || app.sessions > 0 || app.arguments.length > 0;
    // The host drops a complete launch whose client has gone, without a step of the network.
    const receiving = Array.from(this.#accepted.values()).filter(
      ({ connection, isCounted }) =>
        !isCounted && !connection.destroyed && !connection.readableEnded && !connection.isPeerGone?.(),
    );
    this.receivesUntil = Math.max(...receiving.map(({ at }) => at + RECEIVE_TIMEOUT));
  }
}
