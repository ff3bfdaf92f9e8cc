import type { InspectOptions } from 'node:util';
import type { HostStatus, Receipt } from '../interface/receipt.ts';
import { askStatus, send } from './acquire.ts';
import { describe } from './describe.ts';
import { LaunchEmitter, type ReleaseOptions } from './emitter.ts';
import { Lifecycle } from './lifecycle.ts';
import { resolveDrain } from './options/drain.ts';
import type * as Options from './options/index.ts';
import { resolveOptions, resolveSendOptions } from './options/resolve-options.ts';
import { Subscribers } from './subscribers.ts';

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

  readonly #life: Lifecycle<T, R, this>;

  /**
   * Checks the options and reads `secretFile`. With a `schema`, only `acquire` and `send` check the type of `args`.
   * @throws SingletonError `ERR_SINGLETON_INVALID_OPTION`
   */
  constructor(options: Options.SingletonOptions<T, R>);
  constructor(options: Options.ValidatedOptions<unknown, T, R>);
  constructor(options: Options.CodecUnion<T, R>);
  constructor(...none: readonly string[] extends T ? [] : [options: Options.SingletonOptions<T, R>]);
  constructor(options?: Options.AnyOptions<T, R>) {
    const subscribers = new Subscribers<T, R>(() => this.#life.onListenersChange());
    super(subscribers);
    this.#life = new Lifecycle(this, resolveOptions(options), subscribers);
  }

  /** Whether this process is the host now. */
  get listening(): boolean {
    return this.#life.isHosting;
  }

  /** The endpoint, such as `tcp://127.0.0.1:1337`. */
  get endpoint(): string {
    return this.#life.endpoint;
  }

  /**
   * The fencing token of this host: each holder of the endpoint has a larger one than the holder before it. Pass it to what the work
   * changes, so that it can refuse a host that was deposed. `undefined` if the transport has none.
   */
  get token(): number | undefined {
    return this.#life.server.bound.token;
  }

  /** Where this host can be reached, such as `tcp://10.1.2.3:7001`. `undefined` if the endpoint has it. */
  get address(): string | undefined {
    return this.#life.server.bound.address;
  }

  /** Aborts when this process releases the endpoint or loses it, so that work that needs the endpoint can stop. */
  get held(): AbortSignal {
    return this.#life.lifetime.signal;
  }

  /** Whether a host that ended may have dispatched this process's own launch, before this process became the host. */
  get mayHaveRun(): boolean {
    return this.#life.mayHaveRun;
  }

  /** How many clients were counted: launches that were complete and verified. */
  get clients(): number {
    return this.#life.host?.clients ?? 0;
  }

  /** How many launches wait for their result. */
  get sessions(): number {
    return this.#life.host?.connections.openSessions ?? 0;
  }

  /** A snapshot of the argument sets that wait for a listener. */
  get arguments(): readonly T[] {
    return Object.freeze(this.#life.host?.pending ?? []);
  }

  /**
   * Resolves when this process is the host. Otherwise delivers the arguments, and exits with `exitCode`, or with the host's
   * status if the launch waits. After a failure it may be called again; on the host it changes nothing.
   * @throws SingletonError for every failure; with `strict: false` MultipleSingletonsError after the delivery
   */
  acquire(): Promise<this> {
    return this.#life.acquire();
  }

  release(options?: ReleaseOptions): Promise<void> {
    return this.#life.release(resolveDrain(options));
  }

  /** Keeps the process alive while this is the host, whether or not there are listeners. */
  ref(): this {
    this.#life.setRef(true);
    return this;
  }

  /** Lets the process exit although this is the host, whether or not there are listeners. */
  unref(): this {
    this.#life.setRef(false);
    return this;
  }

  override toString(options?: InspectOptions): string {
    return describe(this, this.#life.options, options);
  }
}
