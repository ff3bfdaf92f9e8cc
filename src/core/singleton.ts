import type { InspectOptions } from 'node:util';
import { MultipleSingletonsError, SingletonError, moduleNotLoadedError } from '../interface/errors.ts';
import type { Receipt } from '../interface/receipt.ts';
import { acquire } from './acquire.ts';
import { Deadline, LazyAbortController } from './deadline.ts';
import { type Arrival, type ReleaseReason, type SingletonEvents, TypedEmitter } from './events.ts';
import type { Host, HostContext } from './host/host.ts';
import type { Observer } from './host/observers.ts';
import type {
  AnyOptions,
  ResolvedOptions,
  SendOptions,
  SingletonOptions,
  ValidatedOptions,
  ValidatedSendOptions,
} from './options.ts';
import { resolveOptions } from './resolve-options.ts';
import { finalReceipt, send } from './send.ts';
import { Server } from './server.ts';
import { Subscribers } from './subscribers.ts';

/** `any`, because `acquire` has checked by its own overloads what the constructor asks for by others. */
function untyped<T, R>(options: AnyOptions<T, R>): any {
  return options;
}

type Events<T, R> = SingletonEvents<T, R>;
type Name = keyof SingletonEvents<never>;

/**
 * A program that runs once. The first process to claim the endpoint is the host and hears of later launches by its events;
 * a later launch hands its arguments to the host and exits. `T` is what launches hand over, `R` what the host replies.
 */
export class Singleton<T = readonly string[], R = unknown> extends TypedEmitter<SingletonEvents<T, R>> {
  /**
   * Claims the endpoint, or hands the arguments over and exits: `new Singleton(options).acquire()`.
   * @throws SingletonError `ERR_SINGLETON_INVALID_OPTION`
   */
  static async acquire(): Promise<Singleton>;
  static async acquire<T = readonly string[], R = unknown>(options: SingletonOptions<T, R>): Promise<Singleton<T, R>>;
  static async acquire<Input, Output, R>(options: ValidatedOptions<Input, Output, R>): Promise<Singleton<Output, R>>;
  static async acquire<T, R>(options: AnyOptions<T, R> = {}): Promise<Singleton<T, R>> {
    return new Singleton<T, R>(untyped(options)).acquire();
  }

  /**
   * Hands the arguments to a running host and never becomes one. With `wait`, the receipt has the host's answer.
   * @throws SingletonError `ERR_SINGLETON_NO_HOST` where there is none
   */
  static async send(): Promise<Receipt>;
  static async send<T = readonly string[], R = unknown>(options: SendOptions<T, R>): Promise<Receipt<R>>;
  static async send<Input, R>(options: ValidatedSendOptions<Input, R>): Promise<Receipt<R>>;
  static async send<T, R>(options?: AnyOptions<T, R>): Promise<Receipt<R>> {
    return send(resolveOptions(options));
  }

  readonly #options: ResolvedOptions<T, R>;
  readonly #context: HostContext<T, R>;
  readonly #subscribers = new Subscribers<T, R>(() => this.#listenersChanged());
  readonly #server: Server<Host<T, R>>;
  /** Ends the claim; from then on this Singleton is over. */
  readonly #lifetime = new LazyAbortController();
  #acquiring: Promise<this> | undefined;
  #releasing: Promise<void> | undefined;
  #isRef: boolean | undefined;
  #timer: NodeJS.Timeout | undefined;

  /**
   * Checks the options and touches nothing. Beside a `schema`, only `acquire` and `send` check `args` by types.
   * @throws SingletonError `ERR_SINGLETON_INVALID_OPTION`
   */
  constructor(options: SingletonOptions<T, R>);
  constructor(options: ValidatedOptions<unknown, T, R>);
  constructor(...none: readonly string[] extends T ? [] : [options: SingletonOptions<T, R>]);
  constructor(options?: AnyOptions<T, R>) {
    super();
    this.#options = resolveOptions(options);
    this.#context = { options: this.#options, emitter: this };
    this.#server = new Server(this.#options, {
      open: (since) => this.#createHost(since),
      warn: this.#warn,
      lost: () => void this.#end('lost'),
    });
  }

  /** Whether this process is the host now. */
  get listening(): boolean {
    return this.#server.isListening;
  }

  /** What is claimed, such as `tcp://127.0.0.1:1337`. */
  get endpoint(): string {
    return this.#server.endpoint;
  }

  /** How many clients were counted: launches that were complete and verified. */
  get clients(): number {
    return this.#server.host?.clients ?? 0;
  }

  /** The argument sets that no one has taken yet: a snapshot. */
  get arguments(): readonly T[] {
    return Object.freeze(this.#server.host?.pending ?? []);
  }

  /**
   * Claims the endpoint. Resolves when this process is the host; else a strict launch exits once its arguments are
   * handed over, with status 0, or the host's where it waits. Again after a failure it tries again; while it is the host it changes nothing.
   * @throws MultipleSingletonsError with `strict: false`, once the arguments are handed over
   * @throws SingletonError for everything else, strict or not
   */
  acquire(): Promise<this> {
    this.#acquiring ??= this.#acquire();
    return this.#acquiring;
  }

  /**
   * Gives the endpoint up; it is free at once. Resolves when launches that were on their way are served, after about a
   * second at the latest, and `release` was emitted. A Singleton that was released stays so; one that claimed nothing is left as it is.
   */
  release(): Promise<void> {
    return this.#acquiring || this.#releasing ? this.#end('manual') : Promise.resolve();
  }

  /** Calls `observer(args, ...stored)` for each launch. Tracing an observer again replaces what is stored with it. */
  trace<Stored extends readonly unknown[]>(observer: Observer<T, Stored>, ...stored: Stored): this {
    this.#subscribers.observers.set(observer, stored);
    return this.#listenersChanged();
  }

  /** Takes an observer off; one that is not known is ignored. */
  untrace<Stored extends readonly unknown[]>(observer: Observer<T, Stored>): this {
    this.#subscribers.observers.delete(observer);
    return this.#listenersChanged();
  }

  /**
   * Launches as `args` has them, for a `for await` loop: the next comes when the loop has done with the one before, until
   * then they wait. A loop listens as an `args` listener does; beside it, listeners and observers get a launch when it does.
   * Ends at the release. A launch that waits is answered before the loop is left, else it has failed.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<Arrival<T, R>, undefined> {
    return this.#subscribers.iterate();
  }

  /** Keeps the process alive while this is the host, whoever listens. */
  ref(): this {
    this.#isRef = true;
    return this.#listenersChanged();
  }

  /** Lets the process end although this is the host, whoever listens. */
  unref(): this {
    this.#isRef = false;
    return this.#listenersChanged();
  }

  override on<E extends Name>(event: E, listener: Events<T, R>[E]): this {
    return super.on(event, listener).#listenersChanged();
  }

  override addListener<E extends Name>(event: E, listener: Events<T, R>[E]): this {
    return super.addListener(event, listener).#listenersChanged();
  }

  override prependListener<E extends Name>(event: E, listener: Events<T, R>[E]): this {
    return super.prependListener(event, listener).#listenersChanged();
  }

  override off<E extends Name>(event: E, listener: Events<T, R>[E]): this {
    return super.off(event, listener).#listenersChanged();
  }

  override removeListener<E extends Name>(event: E, listener: Events<T, R>[E]): this {
    return super.removeListener(event, listener).#listenersChanged();
  }

  override removeAllListeners(event?: Name): this {
    return (event === undefined ? super.removeAllListeners() : super.removeAllListeners(event)).#listenersChanged();
  }

  /** `release()`, at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }

  /** Frees the endpoint at the end of a `using` block, without waiting for launches on their way. */
  [Symbol.dispose](): void {
    void this.release();
  }

  /** Every option and the state; the secret is masked. `console.log` shows the same. */
  override toString(): string {
    return this.#describe({});
  }

  static {
    const value = function (this: Singleton, _depth: number, options: InspectOptions): string {
      return this.#describe(options);
    };
    // `inspect.custom`. To import node:util takes each launch 2 % of its time, since that reads all that it can lazily load.
    Object.defineProperty(this.prototype, Symbol.for('nodejs.util.inspect.custom'), { value });
  }

  #describe(options: InspectOptions): string {
    const { transport: _, optionWarning: __, stdio: ___, codec, secret, ...rest } = this.#options;
    const { endpoint, listening, clients } = this;
    const pending = this.arguments.length;
    const state = { endpoint, listening, clients, pending, codec: codec.name, secret: secret && '***', ...rest };
    return `Singleton ${process.getBuiltinModule('node:util').inspect(state, options)}`;
  }

  /** Opens the endpoint that was got. What a host is made of is loaded only now: a client has no use for it. */
  async #becomeHost(): Promise<void> {
    const { codec, deliveryTimeout } = this.#options;
    const after = Math.max(deliveryTimeout, MIN_LOADING);
    const limit = new Deadline(after, () => loadTimeoutError(codec.name, after), this.#lifetime);
    try {
      await this.#server.open(limit);
    } finally {
      limit.clear();
    }
  }

  async #createHost(since: number): Promise<Host<T, R>> {
    const { open } = await import('./host/index.ts').catch(moduleNotLoadedError);
    return open({
      telling: this.#context,
      since,
      audience: this.#subscribers,
      release: () => void this.#end('threshold'),
      changed: () => this.#listenersChanged(),
    });
  }

  /** Also where there is no host yet. */
  readonly #warn = (warning: SingletonError): void => {
    const { host } = this.#server;
    if (host) host.warn(warning);
    else import('./host/index.ts').then(({ warn }) => warn(warning, this.#context)).catch(() => {});
  };

  async #acquire(): Promise<this> {
    const { optionWarning, signal, strict, timeout } = this.#options;
    signal?.addEventListener('abort', this.#abort, { once: true });
    if (signal?.aborted) this.#abort();
    try {
      const delivery = await acquire(this.#server, this.#options, this.#lifetime);
      if (!delivery) await this.#becomeHost();
      const receipt = delivery && (await finalReceipt(delivery, this.#options, this.#lifetime));
      if (this.#lifetime.reason) {
        // Whoever was let in claims the endpoint itself.
        this.#server.host?.rejectUnfinished();
        await this.#server.close();
      }
      this.#lifetime.throwIfAborted();
      if (receipt) {
        if (strict) process.exit(receipt.exitCode ?? 0);
        throw new MultipleSingletonsError(this.endpoint, receipt);
      }
    } catch (error) {
      signal?.removeEventListener('abort', this.#abort);
      this.#acquiring = undefined;
      throw error;
    }
    // A tick later, so that who waits for the claim hears it.
    if (optionWarning) process.nextTick(this.#warn, optionWarning);
    if (timeout > 0) this.#timer = setTimeout(this.#expire, timeout).unref();
    return this.#listenersChanged();
  }

  #end(reason: ReleaseReason): Promise<void> {
    this.#releasing ??= this.#finish(reason);
    return this.#releasing;
  }

  async #finish(reason: ReleaseReason): Promise<void> {
    const { signal } = this.#options;
    const { host } = this.#server;
    const wasHost = this.listening;
    const claiming = this.#acquiring;
    this.#acquiring = undefined;
    clearTimeout(this.#timer);
    signal?.removeEventListener('abort', this.#abort);
    this.#lifetime.abort(releasedError(signal));
    await this.#server.close();
    if (host) host.end();
    else this.#subscribers.end();
    if (wasHost) host?.emit('release', reason);
    else await claiming?.catch(() => {});
  }

  readonly #abort = (): void => void this.#end('aborted');

  readonly #expire = (): void => {
    void this.#end('timeout');
    this.#server.host?.emit('timeout');
  };

  /** Somebody came or went. */
  #listenersChanged(): this {
    const { host, isListening } = this.#server;
    if (isListening) this.#server.setRef(this.#isRef ?? host?.needsRef ?? false);
    if (host) host.onListenersChanged();
    else if (this.#lifetime.reason) this.#subscribers.end();
    return this;
  }
}

/** Milliseconds that a host has at least to be loaded, however short the `deliveryTimeout` is. */
const MIN_LOADING = 1000;

function releasedError(signal: AbortSignal | undefined): SingletonError {
  const how = signal?.aborted ? 'aborted by its signal' : 'released';
  const message = `This Singleton was ${how}; make a new one to claim the endpoint.`;
  return new SingletonError('ERR_SINGLETON_RELEASED', message, signal?.aborted ? { cause: signal.reason } : undefined);
}

function loadTimeoutError(codec: string, after: number): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_INVALID_OPTION',
    `Option "codec": expected load() of "${codec}" to settle within ${after} ms. The endpoint is free again.`,
  );
}
