import { SingletonError, messageOf } from '../../interface/errors.ts';
import { clearTimeout, setImmediate, setTimeout } from '../../interface/timers.ts';
import type { ListenOptions, Watcher } from '../../interface/transport.ts';
import { requestTimeout, type ResolvedLeaseOptions } from './options.ts';
import { backgroundRequest, jitter, request, type Send } from './requests.ts';
import type { LeaseGrant } from './store.ts';

/** The part of the TTL for which this process believes in its lease. The rest covers what two clocks differ by. */
const VALID = 0.9;

/** The part of the TTL after which the lease is renewed. */
const RENEWED = 0.25;

/** Milliseconds by which the wall clock must jump ahead to count. Time servers correct less than that in one step. */
const MIN_JUMP = 1000;

/** Milliseconds after a renewal that failed. */
const RETRY_INTERVAL = 200;

/**
 * A lease that this process holds.
 *
 * The store counts the TTL from when it has received a question, which was after this process has sent it. So the validity is
 * counted from the sending, on a clock that no person sets and that goes on while the machine sleeps: it ends before the store gives
 * the key to another process, if neither clock runs more than 10 % wrong. A renewal counts only if a read after it shows the own
 * token, because a server that was cut off may still confirm renewals.
 *
 * A machine that was paused from outside may show that on no clock but the one of the wall, which is set later. If that jumps ahead,
 * the lease is renewed at once, and lost if the store says so. It does not end the validity: a person may have set it. What is
 * dispatched until the store answers, only the token protects.
 */
export class Holding {
  readonly token: number;
  readonly #grant: LeaseGrant;
  readonly #options: ResolvedLeaseOptions;
  readonly #listenOptions: ListenOptions;
  /** Before, there is no listener that could be lost. */
  #isBound = false;
  readonly #ended = new AbortController();
  #state: 'held' | 'lost' | 'closed' = 'held';
  /** On the clock, when the validity ends. */
  #validUntil: number;
  /** How far the wall clock was ahead at the last renewal. */
  #wallOffset: number;
  #isRenewing = false;
  /** Why the last renewal failed. `undefined` if it succeeded. */
  #failure: unknown;
  #isChecking = false;
  #mustCheck = false;
  #watcher: Watcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  #expiry: NodeJS.Timeout | undefined;

  /** `askedAt`: when the first request that may have got the grant was sent. */
  constructor(grant: LeaseGrant, askedAt: number, options: ResolvedLeaseOptions, listenOptions: ListenOptions) {
    this.token = grant.token;
    this.#grant = grant;
    this.#options = options;
    this.#listenOptions = listenOptions;
    this.#validUntil = askedAt + VALID * options.ttl;
    this.#wallOffset = this.#currentWallOffset();
  }

  /** Renews it from now on. Waits for the first renewal if the grant took that long. */
  async start(askedAt: number): Promise<void> {
    const { store, clock, ttl } = this.#options;
    const renewAt = askedAt + RENEWED * ttl;
    this.#watcher = store.watch(() => void this.#check());
    this.#scheduleExpiry();
    if (clock.now() < renewAt) this.#scheduleRenewal(renewAt);
    else await this.renew();
  }

  /** From now on, failures and the loss are reported to the listener's owner. */
  onBound(): void {
    this.#isBound = true;
  }

  /** Whether no other process can have the key. */
  isHeld(): boolean {
    if (!this.#isValid()) return false;
    if (this.#currentWallOffset() - this.#wallOffset > MIN_JUMP) void this.renew();
    return true;
  }

  /** Gives the key back. After a loss nothing is sent. Resolves to the error if the store does not answer. */
  async release(): Promise<unknown> {
    if (this.#state !== 'held') return undefined;
    this.#end('closed');
    try {
      await request((each) => this.#grant.release(each), requestTimeout(this.#options.ttl));
      return undefined;
    } catch (error) {
      return error ?? new Error('the store gave no reason');
    }
  }

  /** Milliseconds that are left of the validity. */
  get #left(): number {
    return this.#validUntil - this.#options.clock.now();
  }

  #currentWallOffset(): number {
    const { clock } = this.#options;
    return clock.wall() - clock.now();
  }

  #scheduleRenewal(at: number): void {
    const ms = at - this.#options.clock.now();
    this.#timer = setTimeout(() => void this.renew(), Math.max(ms, 0)).unref();
  }

  #scheduleExpiry(): void {
    clearTimeout(this.#expiry);
    this.#expiry = setTimeout(
      () => this.isHeld() && this.#scheduleExpiry(),
      Math.max(Math.ceil(this.#left), 1),
    ).unref();
  }

  /** Renews the lease now. `isHeld` says whether that succeeded. */
  async renew(): Promise<void> {
    if (this.#isRenewing || !this.#isValid()) return;
    this.#isRenewing = true;
    clearTimeout(this.#timer);
    const { clock, ttl } = this.#options;
    const askedAt = clock.now();
    let next = askedAt + RENEWED * ttl;
    this.#wallOffset = this.#currentWallOffset();
    try {
      await this.#confirm();
      if (!this.#isValid()) return;
      this.#validUntil = askedAt + VALID * ttl;
      this.#failure = undefined;
      this.#scheduleExpiry();
    } catch (error) {
      if (!this.#isValid()) return;
      if (this.#failure === undefined) this.#warnOfFailure(error);
      this.#failure = error;
      next = clock.now() + jitter(RETRY_INTERVAL);
    } finally {
      this.#isRenewing = false;
    }
    this.#scheduleRenewal(next);
  }

  /** Rejects if the store cannot be reached, or does not answer. */
  async #confirm(): Promise<void> {
    if (await this.#ask((each) => this.#grant.renew(each))) await this.#readOwn();
    else this.#lose('the store says that it has expired, or that another process holds it');
  }

  /** Any other token than the own one ends the holding, as no token does. */
  async #readOwn(): Promise<void> {
    const held = await this.#ask((each) => this.#options.store.read(each));
    if (held?.token !== this.token) this.#lose(held ? 'another process holds the key' : 'the key was deleted');
  }

  #ask<T>(send: Send<T>): Promise<T> {
    const ms = Math.min(requestTimeout(this.#options.ttl), Math.max(this.#left, 1));
    return backgroundRequest(send, ms, this.#ended.signal);
  }

  /** The key may have changed. A failure has no effect: the next renewal asks again. */
  async #check(): Promise<void> {
    this.#mustCheck = true;
    if (this.#isChecking) return;
    this.#isChecking = true;
    while (this.#mustCheck && this.#isValid()) {
      this.#mustCheck = false;
      await this.#readOwn().catch(() => {});
    }
    this.#isChecking = false;
  }

  /** As `isHeld`, without a look at the clock on the wall. */
  #isValid(): boolean {
    if (this.#state === 'held' && this.#left <= 0) this.#lose('it was not renewed in time');
    return this.#state === 'held';
  }

  #lose(reason: string): void {
    if (this.#state !== 'held') return;
    this.#end('lost');
    const message = `The lease of ${this.#options.store.endpoint} is lost: ${reason}. Another process may become the host.`;
    const warning = new SingletonError('ERR_SINGLETON_RELEASED', message, { cause: this.#failure });
    // Not at once: a dispatch may be asking, or `listen` about to resolve.
    setImmediate(() => {
      this.#report(warning);
      if (this.#isBound) this.#listenOptions.onLost();
    });
  }

  #end(state: 'lost' | 'closed'): void {
    this.#state = state;
    this.#ended.abort();
    this.#watcher?.close();
    clearTimeout(this.#timer);
    clearTimeout(this.#expiry);
  }

  #warnOfFailure(cause: unknown): void {
    const message =
      `The lease of ${this.#options.store.endpoint} could not be renewed: ${messageOf(cause)}. The host tries again, and stops ` +
      `being the host in ${Math.round(this.#left)} ms if it does not succeed.`;
    this.#report(new SingletonError('ERR_SINGLETON_CONNECTION_FAILED', message, { cause }));
  }

  #report(warning: SingletonError): void {
    if (this.#isBound) this.#listenOptions.onWarning(warning);
    else this.#listenOptions.onRetry?.(warning);
  }
}
