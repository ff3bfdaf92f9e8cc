import type { InspectOptions } from 'node:util';
import { MultipleSingletonsError, SingletonError, unloaded } from '../interface/errors.ts';
import type { Receipt } from '../interface/receipt.ts';
import { claim } from './acquire.ts';
import { Deadline, Ending } from './deadline.ts';
import { type Arrival, type ReleaseReason, type SingletonEvents, TypedEmitter } from './events.ts';
import type { Host, Telling } from './host/host.ts';
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
import { conclude, send } from './send.ts';
import { Hold } from './server.ts';
import { Audience } from './subscribers.ts';

/** `any`, because `acquire` has checked by its own overloads what the constructor asks for by others. */
function untyped<T, R>(options: AnyOptions<T, R>): any {
  return options;
}

type Events<T, R> = SingletonEvents<T, R>;
type Name = keyof SingletonEvents<never>;

/**
 * A program that runs once. The first process to claim the place is the host and hears of later launches by its events;
 * a later launch hands its arguments to the host and exits. `T` is what launches hand over, `R` what the host replies.
 */
export class Singleton<T = readonly string[], R = unknown> extends TypedEmitter<SingletonEvents<T, R>> {
  /**
   * Claims the place, or hands the arguments over and exits: `new Singleton(options).acquire()`.
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
  readonly #telling: Telling<T, R>;
  readonly #audience = new Audience<T, R>(() => this.#listened());
  readonly #hold: Hold<Host<T, R>>;
  /** Ends the claim; from then on this Singleton is over. */
  readonly #over = new Ending();
  #claiming: Promise<this> | undefined;
  #ending: Promise<void> | undefined;
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
    this.#telling = { options: this.#options, emitter: this };
    this.#hold = new Hold(this.#options, {
      open: (since) => this.#serve(since),
      warn: this.#warn,
      lost: () => void this.#end('lost'),
    });
  }

  /** Whether this process is the host now. */
  get listening(): boolean {
    return this.#hold.isListening;
  }

  /** What is claimed, such as `tcp://127.0.0.1:1337`. */
  get place(): string {
    return this.#hold.place;
  }

  /** How many clients were counted: launches that were complete and verified. */
  get clients(): number {
    return this.#hold.host?.clients ?? 0;
  }

  /** The argument sets that no one has taken yet: a snapshot. */
  get arguments(): readonly T[] {
    return Object.freeze(this.#hold.host?.pending ?? []);
  }

  /**
   * Claims the place. Resolves when this process is the host; else a strict launch exits once its arguments are
   * handed over, with status 0, or the host's where it waits. Again after a failure it tries again; while it is the host it changes nothing.
   * @throws MultipleSingletonsError with `strict: false`, once the arguments are handed over
   * @throws SingletonError for everything else, strict or not
   */
  acquire(): Promise<this> {
    this.#claiming ??= this.#acquire();
    return this.#claiming;
  }

  /**
   * Gives the place up; it is free at once. Resolves when launches that were on their way are served, after about a
   * second at the latest, and `release` was emitted. A Singleton that was released stays so; one that claimed nothing is left as it is.
   */
  release(): Promise<void> {
    return this.#claiming || this.#ending ? this.#end('manual') : Promise.resolve();
  }

  /** Calls `observer(args, ...stored)` for each launch. Tracing an observer again replaces what is stored with it. */
  trace<Stored extends readonly unknown[]>(observer: Observer<T, Stored>, ...stored: Stored): this {
    this.#audience.observers.set(observer, stored);
    return this.#listened();
  }

  /** Takes an observer off; one that is not known is ignored. */
  untrace<Stored extends readonly unknown[]>(observer: Observer<T, Stored>): this {
    this.#audience.observers.delete(observer);
    return this.#listened();
  }

  /**
   * Launches as `args` has them, for a `for await` loop: the next comes when the loop has done with the one before, until
   * then they wait. A loop listens as an `args` listener does; beside it, listeners and observers get a launch when it does.
   * Ends at the release. A launch that waits is answered before the loop is left, else it has failed.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<Arrival<T, R>, undefined> {
    return this.#audience.loop();
  }

  /** Keeps the process alive while this is the host, whoever listens. */
  ref(): this {
    this.#isRef = true;
    return this.#listened();
  }

  /** Lets the process end although this is the host, whoever listens. */
  unref(): this {
    this.#isRef = false;
    return this.#listened();
  }

  override on<E extends Name>(event: E, listener: Events<T, R>[E]): this {
    return super.on(event, listener).#listened();
  }

  override addListener<E extends Name>(event: E, listener: Events<T, R>[E]): this {
    return super.addListener(event, listener).#listened();
  }

  override prependListener<E extends Name>(event: E, listener: Events<T, R>[E]): this {
    return super.prependListener(event, listener).#listened();
  }

  override off<E extends Name>(event: E, listener: Events<T, R>[E]): this {
    return super.off(event, listener).#listened();
  }

  override removeListener<E extends Name>(event: E, listener: Events<T, R>[E]): this {
    return super.removeListener(event, listener).#listened();
  }

  override removeAllListeners(event?: Name): this {
    return (event === undefined ? super.removeAllListeners() : super.removeAllListeners(event)).#listened();
  }

  /** `release()`, at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }

  /** Frees the place at the end of a `using` block, without waiting for launches on their way. */
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
    const { transport: _, advice: __, streams: ___, codec, secret, ...rest } = this.#options;
    const { place, listening, clients } = this;
    const pending = this.arguments.length;
    const state = { place, listening, clients, pending, codec: codec.name, secret: secret && '***', ...rest };
    return `Singleton ${process.getBuiltinModule('node:util').inspect(state, options)}`;
  }

  /** Opens the place that was got. What a host is made of is loaded only now: a client has no use for it. */
  async #open(): Promise<void> {
    const { codec, handOffTimeout } = this.#options;
    const after = Math.max(handOffTimeout, MIN_LOADING);
    const limit = new Deadline(after, () => notOpened(codec.name, after), this.#over);
    try {
      await this.#hold.open(limit);
    } finally {
      limit.clear();
    }
  }

  async #serve(since: number): Promise<Host<T, R>> {
    const { open } = await import('./host/index.ts').catch(unloaded);
    return open({
      telling: this.#telling,
      since,
      audience: this.#audience,
      release: () => void this.#end('threshold'),
      changed: () => this.#listened(),
    });
  }

  /** Also where there is no host yet. */
  readonly #warn = (warning: SingletonError): void => {
    const { host } = this.#hold;
    if (host) host.warn(warning);
    else import('./host/index.ts').then(({ warn }) => warn(warning, this.#telling)).catch(() => {});
  };

  async #acquire(): Promise<this> {
    const { advice, signal, strict, timeout } = this.#options;
    signal?.addEventListener('abort', this.#abort, { once: true });
    if (signal?.aborted) this.#abort();
    try {
      const delivery = await claim(this.#hold, this.#options, this.#over);
      if (!delivery) await this.#open();
      const receipt = delivery && (await conclude(delivery, this.#options, this.#over));
      if (this.#over.reason) {
        // Whoever was let in claims the place itself.
        this.#hold.host?.cut();
        await this.#hold.close();
      }
      this.#over.throwIfOver();
      if (receipt) {
        if (strict) process.exit(receipt.exitCode ?? 0);
        throw new MultipleSingletonsError(this.place, receipt);
      }
    } catch (error) {
      signal?.removeEventListener('abort', this.#abort);
      this.#claiming = undefined;
      throw error;
    }
    // A tick later, so that who waits for the claim hears it.
    if (advice) process.nextTick(this.#warn, advice);
    if (timeout > 0) this.#timer = setTimeout(this.#expire, timeout).unref();
    return this.#listened();
  }

  #end(reason: ReleaseReason): Promise<void> {
    this.#ending ??= this.#finish(reason);
    return this.#ending;
  }

  async #finish(reason: ReleaseReason): Promise<void> {
    const { signal } = this.#options;
    const { host } = this.#hold;
    const wasHost = this.listening;
    const claiming = this.#claiming;
    this.#claiming = undefined;
    clearTimeout(this.#timer);
    signal?.removeEventListener('abort', this.#abort);
    this.#over.end(isOver(signal));
    await this.#hold.close();
    if (host) host.end();
    else this.#audience.end();
    if (wasHost) host?.emit('release', reason);
    else await claiming?.catch(() => {});
  }

  readonly #abort = (): void => void this.#end('aborted');

  readonly #expire = (): void => {
    void this.#end('timeout');
    this.#hold.host?.emit('timeout');
  };

  /** Somebody came or went. */
  #listened(): this {
    const { host, isListening } = this.#hold;
    if (isListening) this.#hold.keepAlive(this.#isRef ?? host?.isHeard ?? false);
    if (host) host.listened();
    else if (this.#over.reason) this.#audience.end();
    return this;
  }
}

/** Milliseconds that a host has at least to be loaded, however short the `handOffTimeout` is. */
const MIN_LOADING = 1000;

function isOver(signal: AbortSignal | undefined): SingletonError {
  const how = signal?.aborted ? 'aborted by its signal' : 'released';
  const message = `This Singleton was ${how}; make a new one to claim the place.`;
  return new SingletonError('ERR_SINGLETON_RELEASED', message, signal?.aborted ? { cause: signal.reason } : undefined);
}

function notOpened(codec: string, after: number): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_INVALID_OPTION',
    `Option "codec": expected load() of "${codec}" to settle within ${after} ms. The place is free again.`,
  );
}
