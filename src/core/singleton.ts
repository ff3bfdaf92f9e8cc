import { inspect, type InspectOptions } from 'node:util';
import type { Verified } from '../codecs/codec.ts';
import { admit } from './admission.ts';
import { Attendance } from './attendance.ts';
import { claim } from './claim.ts';
import { ClientView } from './client-view.ts';
import { conclude, send } from './client.ts';
import { callEach, TypedEmitter, type Done } from './emitter.ts';
import { MultipleSingletonsError, SingletonError } from './errors.ts';
import type { Arrival, Client, ReleaseReason, SingletonEvents, VerifyFailure } from './events.ts';
import { Host } from './host.ts';
import type { Observer } from './observers.ts';
import type {
  AnyOptions,
  ResolvedOptions,
  SendOptions,
  SingletonOptions,
  ValidatedOptions,
  ValidatedSendOptions,
} from './options.ts';
import { Publisher } from './publisher.ts';
import { RateLimit } from './rate-limit.ts';
import type { Receipt } from './receipt.ts';
import { resolveOptions } from './resolve-options.ts';
import { printFailure, printWarning } from './verbose.ts';
import type { Dispatched } from './visit.ts';

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
  readonly #host: Host<T, R>;
  readonly #publisher: Publisher<T, R>;
  readonly #warned = new RateLimit((count) => this.#tell(leftOut(count, 'warnings were not emitted')));
  readonly #printed = new RateLimit((count) => this.#warn(leftOut(count, 'refused clients were not printed')));
  /** Aborts the claim; from then on this Singleton is over. */
  readonly #over = new AbortController();
  #claiming: Promise<this> | undefined;
  #ending: Promise<void> | undefined;
  #clients = 0;
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
    this.#publisher = new Publisher(this.#options, {
      exist: () => this.listenerCount('args') > 0,
      call: ({ args, client }) => this.#tellOf(client, 'args', args, client),
      changed: () => void this.#listened(),
      warn: this.#warn,
    });
    this.#host = new Host(this.#options, {
      launched: this.#admit,
      verifyFailed: this.#refuse,
      warning: this.#warn,
      lost: () => void this.#end('lost'),
      changed: () => void this.#listened(),
    });
  }

  /** Whether this process is the host now. */
  get listening(): boolean {
    return this.#host.isListening;
  }

  /** What is claimed, such as `tcp://127.0.0.1:1337`. */
  get place(): string {
    return this.#host.place;
  }

  /** How many clients were counted: launches that were complete and verified. */
  get clients(): number {
    return this.#clients;
  }

  /** The argument sets that no one has taken yet: a snapshot. */
  get arguments(): readonly T[] {
    return Object.freeze(this.#publisher.pending);
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
    this.#publisher.observers.set(observer, stored);
    return this.#listened();
  }

  /** Takes an observer off; one that is not known is ignored. */
  untrace<Stored extends readonly unknown[]>(observer: Observer<T, Stored>): this {
    this.#publisher.observers.delete(observer);
    return this.#listened();
  }

  /**
   * Launches as `args` has them, for a `for await` loop: the next comes when the loop has done with the one before, until
   * then they wait. A loop listens as an `args` listener does; beside it, listeners and observers get a launch when it does.
   * Ends at the release. A launch that waits is answered before the loop is left, else it has failed.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<Arrival<T, R>, undefined> {
    return this.#publisher.loop();
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
    Object.defineProperty(this.prototype, inspect.custom, { value });
  }

  #describe(options: InspectOptions): string {
    const { transport: _, advice: __, streams: ___, codec, secret, ...rest } = this.#options;
    const { place, listening, clients } = this;
    const pending = this.#publisher.pending.length;
    const state = { place, listening, clients, pending, codec: codec.name, secret: secret && '***', ...rest };
    return `Singleton ${inspect(state, options)}`;
  }

  async #acquire(): Promise<this> {
    const { advice, signal, strict, timeout } = this.#options;
    signal?.addEventListener('abort', this.#abort, { once: true });
    if (signal?.aborted) this.#abort();
    try {
      const delivery = await claim(this.#host, this.#options, this.#over.signal);
      const receipt = delivery && (await conclude(delivery, this.#options, this.#over.signal));
      if (this.#over.signal.aborted) await this.#host.close();
      this.#over.signal.throwIfAborted();
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
    if (advice) process.nextTick(() => this.#warn(advice));
    if (timeout > 0) this.#timer = setTimeout(this.#expire, timeout).unref();
    return this.#listened();
  }

  #end(reason: ReleaseReason): Promise<void> {
    this.#ending ??= this.#finish(reason);
    return this.#ending;
  }

  async #finish(reason: ReleaseReason): Promise<void> {
    const { signal } = this.#options;
    const wasHost = this.listening;
    const claiming = this.#claiming;
    this.#claiming = undefined;
    clearTimeout(this.#timer);
    signal?.removeEventListener('abort', this.#abort);
    this.#over.abort(isOver(signal));
    // Who came to a claim that is given up claims the place itself.
    if (!wasHost) this.#host.cut();
    await this.#host.close().catch((cause: unknown) => {
      this.#warn(new SingletonError('ERR_SINGLETON_CONNECTION_FAILED', 'The place could not be freed.', { cause }));
    });
    this.#publisher.end();
    this.#warned.end();
    this.#printed.end();
    if (wasHost) this.#emit('release', reason);
    else await claiming?.catch(() => {});
  }

  readonly #abort = (): void => void this.#end('aborted');

  readonly #expire = (): void => {
    void this.#end('timeout');
    this.#emit('timeout');
  };

  /** One launch, complete and verified: counted, told, then released, ignored or published. */
  readonly #admit = (
    { launch, bytes, dialogue }: Verified<T, R>,
    remoteAddress: string | undefined,
    dispatching: (what: Dispatched) => void,
  ): boolean => {
    const number = ++this.#clients;
    const client = new ClientView<R>({ number, launch, remoteAddress, dialogue });
    const admission = admit(number, this.#options);
    dispatching({ outcome: OUTCOMES[admission], client: number });
    const attendance = new Attendance((attended) => {
      dialogue?.attended(attended);
      if (dialogue) this.#listened();
    });
    attendance.give(() => this.#tellOf(client, 'client', client));
    if (admission === 'release') {
      void this.#end('threshold');
      this.#host.cut();
    }
    // Who waits for an answer gets it of the listeners for args, also without any.
    if (admission !== 'publish' || (isEmpty(launch.args) && !dialogue)) {
      attendance.complete();
      return true;
    }
    if (this.#publisher.publish({ args: launch.args, client, attendance }, bytes)) return true;
    this.#warn(full(this.#options));
    return false;
  };

  readonly #refuse = (failure: VerifyFailure): void => {
    if (this.#options.verbose) this.#printed.pass(() => printFailure(failure));
    this.#emit('verifyFailed', failure);
  };

  readonly #warn = (warning: SingletonError): void => {
    this.#warned.pass(() => this.#tell(warning));
  };

  #tell(warning: SingletonError): void {
    if (this.#options.verbose) printWarning(warning);
    this.#emit('warning', warning);
  }

  /** A listener that rejects because nobody waits any more, as its streams and its signal let it, hurts nobody. */
  #tellOf<E extends 'args' | 'client'>(client: Client<R>, event: E, ...args: Parameters<Events<T, R>[E]>): Done[] {
    return callEach(this.rawListeners(event), this, args, (cause) => {
      const isForgiven = client.waiting && client.signal.aborted;
      if (isForgiven) this.#warn(leftAlone(cause));
      return isForgiven;
    });
  }

  #emit<E extends Name>(event: E, ...args: Parameters<Events<T, R>[E]>): void {
    callEach(this.rawListeners(event), this, args);
  }

  /** Whether somebody was given a launch that waits for its last word. */
  get #isAnswering(): boolean {
    return this.#host.conversations > this.#publisher.waiting;
  }

  /** Somebody came or went. */
  #listened(): this {
    const isHeard = this.#publisher.isHeard || this.listenerCount('client') > 0 || this.#isAnswering;
    if (this.listening) this.#host.keepAlive(this.#isRef ?? isHeard);
    this.#publisher.drainSoon();
    return this;
  }
}

const OUTCOMES = { publish: 'delivered', throttle: 'throttled', release: 'released' } as const;

function isEmpty(args: unknown): boolean {
  return Array.isArray(args) && args.length === 0;
}

function isOver(signal: AbortSignal | undefined): SingletonError {
  const how = signal?.aborted ? 'aborted by its signal' : 'released';
  const message = `This Singleton was ${how}; make a new one to claim the place.`;
  return new SingletonError('ERR_SINGLETON_RELEASED', message, signal?.aborted ? { cause: signal.reason } : undefined);
}

function full<T, R>({ maxPending }: ResolvedOptions<T, R>): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_BUSY',
    `Arguments were dropped: too much waits already (maxPending is ${maxPending}), and nobody listens to "args".`,
  );
}

function leftAlone(cause: unknown): SingletonError {
  const message = 'A listener rejected when nobody waited for its answer any more.';
  return new SingletonError('ERR_SINGLETON_OBSERVER_FAILED', message, { cause });
}

function leftOut(count: number, what: string): SingletonError {
  return new SingletonError('ERR_SINGLETON_BUSY', `Too much came at once: ${count} more ${what}.`);
}
