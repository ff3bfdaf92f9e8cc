import type { SingletonError } from '../interface/errors.ts';
import type { HostStatus, Receipt } from '../interface/receipt.ts';
import { acquire, askStatus, send } from './acquire.ts';
import { exitAfterDelivery } from './attempt.ts';
import { LazyAbortController, releasedError } from './deadline.ts';
import type { InspectOptions } from 'node:util';
import { describe } from './describe.ts';
import { publishAcquire } from './diagnostics.ts';
import { LaunchEmitter, type ReleaseOptions } from './emitter.ts';
import { resolveDrain } from './options/drain.ts';
import type { ReleaseReason } from './events.ts';
import type { HostContext } from './host/dispatch/context.ts';
import type { Host } from './host/host.ts';
import { loadHost, loadOwnLaunch, warn } from './load-host.ts';
import type * as Options from './options/index.ts';
import { resolveOptions } from './options/resolve-options.ts';
import { resolveSendOptions } from './options/start.ts';
import { Server } from './server.ts';
import { Subscribers } from './subscribers.ts';

/** `released` is final. */
type State = 'idle' | 'acquiring' | 'hosting' | 'released';

/**
 * A program that runs once. The first process that binds the endpoint becomes the host and emits an event for each later
 * launch; a later process delivers its arguments to the host and exits. `T` are the arguments, `R` is a reply of the host.
 */
export class Singleton<T = readonly string[], R = unknown> extends LaunchEmitter<T, R> {
  /**
   * Becomes the host, or delivers the arguments and exits: `new Singleton(options).acquire()`.
   * @throws SingletonError `ERR_SINGLETON_INVALID_OPTION`
   * @example
   * const app = await Singleton.acquire({ port: 21337 });
   * app.on('args', (args, client) => console.log(args, client.remoteAddress));
   */
  static async acquire(): Promise<Singleton>;
  static async acquire<T = readonly string[], R = unknown>(
    options: Options.SingletonOptions<T, R>,
  ): Promise<Singleton<T, R>>;
  static async acquire<S extends Options.MaybeSchema = undefined, R = unknown>(
    options: Options.Validated<S, R>,
  ): Promise<Singleton<Options.OutputOf<S>, R>>;
  static async acquire<const C>(options: Options.CodecList<C>): Promise<Singleton<Options.Args<C>, Options.Reply<C>>>;
  static async acquire<T, R>(options: Options.AnyOptions<T, R> = {}): Promise<Singleton<T, R>> {
    // `any`: these overloads have checked what those of the constructor ask for.
    const checked: any = options;
    return new Singleton<T, R>(checked).acquire();
  }

  /**
   * Delivers the arguments to a running host and never becomes one. With `wait`, the receipt has the host's result.
   * @throws SingletonError `ERR_SINGLETON_NO_HOST` if no host is listening
   * @example
   * const { outcome } = await Singleton.send({ port: 21337, args: ['open', 'a.txt'] });
   */
  static async send(): Promise<Receipt>;
  static async send<T = readonly string[], R = unknown>(options: Options.SendOptions<T, R>): Promise<Receipt<R>>;
  static async send<S extends Options.MaybeSchema = undefined, R = unknown>(
    options: Options.ValidatedSend<S, R>,
  ): Promise<Receipt<R>>;
  static async send<const C>(options: Options.CodecListSend<C>): Promise<Receipt<Options.Reply<C>>>;
  static async send<T, R>(options?: Options.AnySendOptions<T, R>): Promise<Receipt<R>> {
    return send(resolveSendOptions(options));
  }

  /**
   * The status of the host; `undefined` if no host is listening. The host neither counts this nor emits an event for it.
   * @throws SingletonError if the host does not answer in time, or is that of another program
   * @example
   * const { version, clients } = (await Singleton.status({ port: 21337, codec: json() })) ?? {};
   */
  static async status(options?: Options.StatusOptions): Promise<HostStatus | undefined> {
    return askStatus(resolveOptions({ args: [], ...options }));
  }

  #state: State = 'idle';
  #acquired: Promise<this> = Promise.resolve(this);
  #released: Promise<void> = Promise.resolve();
  readonly #options: Options.ResolvedOptions<T, R>;
  readonly #server: Server;
  readonly #context: HostContext<T, R>;
  /** Aborts when this Singleton is released, for good. */
  readonly #lifetime = new LazyAbortController();
  /** Set once this process has been the host, also after the release. */
  #host: Host<T, R> | undefined;
  #mayHaveRun = false;

  /**
   * Checks the options and reads `secretFile`. With a `schema`, only `acquire` and `send` check the type of `args`.
   * @throws SingletonError `ERR_SINGLETON_INVALID_OPTION`
   */
  constructor(options: Options.SingletonOptions<T, R>);
  constructor(options: Options.ValidatedOptions<unknown, T, R>);
  constructor(options: Options.CodecUnion<T, R>);
  constructor(...none: readonly string[] extends T ? [] : [options: Options.SingletonOptions<T, R>]);
  constructor(options?: Options.AnyOptions<T, R>) {
    const subscribers = new Subscribers<T, R>(() => this.#onListenersChange());
    super(subscribers);
    this.#options = resolveOptions(options);
    this.#server = new Server(this.#options, this.#warn, () => void this.#release('lost'));
    this.#context = {
      options: this.#options,
      emitter: this,
      subscribers,
      server: this.#server,
      // A host that is replaced finishes what it has.
      release: (reason) => void this.#release(reason, reason === 'replaced' ? Infinity : 0),
    };
  }

  /** Whether this process is the host now. */
  get listening(): boolean {
    return this.#state === 'hosting';
  }

  /** The endpoint, such as `tcp://127.0.0.1:1337`. */
  get endpoint(): string {
    return this.#server.endpoint;
  }

  /** Whether a host that ended may have dispatched this process's own launch, before this process became the host. */
  get mayHaveRun(): boolean {
    return this.#mayHaveRun;
  }

  /** How many clients were counted: launches that were complete and verified. */
  get clients(): number {
    return this.#host?.clients ?? 0;
  }

  /** How many launches wait for their result. */
  get sessions(): number {
    return this.#host?.connections.openSessions ?? 0;
  }

  /** A snapshot of the argument sets that wait for a listener. */
  get arguments(): readonly T[] {
    return Object.freeze(this.#host?.pending ?? []);
  }

  /**
   * Resolves when this process is the host. Otherwise delivers the arguments, and exits with `exitCode`, or with the host's
   * status if the launch waits. After a failure it may be called again; on the host it changes nothing.
   * @throws SingletonError for every failure; with `strict: false` MultipleSingletonsError after the delivery
   */
  acquire(): Promise<this> {
    if (this.#options.signal?.aborted) this.#abort();
    if (this.#state === 'released') return Promise.reject(releasedError(this.endpoint, this.#options.signal));
    if (this.#state === 'idle') {
      this.#enter('acquiring');
      this.#acquired = publishAcquire(this, this.#acquire());
    }
    return this.#acquired;
  }

  release(options?: ReleaseOptions): Promise<void> {
    const drain = resolveDrain(options);
    return this.#state === 'idle' ? this.#released : this.#release('manual', drain);
  }

  /** Keeps the process alive while this is the host, whether or not there are listeners. */
  ref(): this {
    this.#context.isRef = true;
    this.#onListenersChange();
    return this;
  }

  /** Lets the process exit although this is the host, whether or not there are listeners. */
  unref(): this {
    this.#context.isRef = false;
    this.#onListenersChange();
    return this;
  }

  override toString(options?: InspectOptions): string {
    return describe(this, this.#options, options);
  }

  /** The one place where the state changes. */
  #enter(state: State): void {
    const { signal } = this.#options;
    this.#state = state;
    if (state === 'acquiring') signal?.addEventListener('abort', this.#abort, { once: true });
    else if (state !== 'hosting') signal?.removeEventListener('abort', this.#abort);
    if (state === 'idle') this.#context.subscribers.endIterators();
  }

  async #acquire(): Promise<this> {
    try {
      const acquired = await acquire((attempt) => this.#server.listen(attempt), this.#options, this.#lifetime);
      if (!('mayHaveRun' in acquired)) return await exitAfterDelivery(acquired, this.#options, this.#lifetime);
      this.#mayHaveRun = acquired.mayHaveRun;
      const host = await loadHost(this.#context, this.#lifetime);
      const deliverOwnLaunch = await loadOwnLaunch(this.#options, this.#mayHaveRun, this.#lifetime);
      this.#lifetime.throwIfAborted();
      this.#server.assertBound();
      this.#host = host;
      this.#enter('hosting');
      this.#server.attach(host.connections);
      host.start();
      await deliverOwnLaunch?.(host);
      this.#lifetime.throwIfAborted();
      this.#server.serve();
      this.#lifetime.throwIfAborted();
    } catch (error) {
      // Accepted clients are reset, so that they try again.
      this.#host?.connections.rejectUnfinished();
      await this.#server.close();
      if (this.#state === 'released') throw error;
      this.#host?.stop();
      this.#enter('idle');
      throw error;
    }
    // A tick later, so that listeners that are added after `await acquire()` get it.
    if (this.#options.optionWarning) process.nextTick(this.#warn, this.#options.optionWarning);
    this.#onListenersChange();
    return this;
  }

  readonly #warn = (warning: SingletonError): void => warn(warning, this.#context);

  #release(reason: ReleaseReason, drain = 0): Promise<void> {
    const before = this.#state;
    if (before === 'released') return this.#released;
    // The state first: a transport or a listener that is called while it closes may release again.
    this.#enter('released');
    this.#released = this.#close(reason, drain, before === 'hosting');
    return this.#released;
  }

  /** Frees the endpoint before it returns. */
  async #close(reason: ReleaseReason, drain: number, wasHost: boolean): Promise<void> {
    const host = this.#host;
    this.#lifetime.abort(releasedError(this.endpoint, this.#options.signal));
    const closed = this.#server.close(drain);
    if (reason === 'timeout') host?.emit('timeout');
    await closed;
    if (host) host.end();
    else this.#context.subscribers.end();
    if (wasHost) host?.onRelease(reason);
    else await this.#acquired.catch(() => {});
  }

  readonly #abort = (): void => void this.#release('aborted');

  #onListenersChange(): void {
    if (this.#host) this.#host.onListenersChange();
    else if (this.#state === 'released') this.#context.subscribers.end();
  }
}
