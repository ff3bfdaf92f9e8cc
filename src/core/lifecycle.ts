import type * as Typed from 'typed-emitter';
import type { SingletonError } from '../interface/errors.ts';
import { acquire } from './acquire.ts';
import { exitAfterDelivery } from './attempt.ts';
import { LazyAbortController, releasedError } from './deadline.ts';
import { publishAcquire } from './diagnostics.ts';
import type { ReleaseReason, SingletonEvents } from './events.ts';
import type { HostContext } from './host/dispatch/context.ts';
import type { Host } from './host/host.ts';
import { loadHost, loadOwnLaunch, warn } from './load-host.ts';
import type { ResolvedOptions } from './options/resolved-options.ts';
import { Server } from './server.ts';
import type { Subscribers } from './subscribers.ts';

/** `released` is final. */
type State = 'idle' | 'acquiring' | 'hosting' | 'released';

/** The life of a Singleton: its state, and what changes it. */
export class Lifecycle<T, R, App extends Typed.default<SingletonEvents<T, R>>> {
  readonly options: ResolvedOptions<T, R>;
  readonly server: Server;
  /** Aborts when this Singleton is released, for good. */
  readonly lifetime: LazyAbortController = new LazyAbortController();
  #state: State = 'idle';
  #host: Host<T, R> | undefined;
  #mayHaveRun = false;
  readonly #app: App;
  #acquired: Promise<App>;
  #released: Promise<void> = Promise.resolve();
  readonly #context: HostContext<T, R>;

  constructor(app: App, options: ResolvedOptions<T, R>, subscribers: Subscribers<T, R>) {
    this.options = options;
    this.#app = app;
    this.#acquired = Promise.resolve(app);
    this.server = new Server(options, this.#warn, () => void this.#release('lost'));
    this.#context = {
      options,
      emitter: app,
      subscribers,
      server: this.server,
      // A host that is replaced finishes what it has.
      release: (reason) => void this.#release(reason, reason === 'replaced' ? Infinity : 0),
    };
  }

  get isHosting(): boolean {
    return this.#state === 'hosting';
  }

  get endpoint(): string {
    return this.server.endpoint;
  }

  /** Set once this process has been the host, also after the release. */
  get host(): Host<T, R> | undefined {
    return this.#host;
  }

  /** Whether a host that ended may have dispatched the own launch. */
  get mayHaveRun(): boolean {
    return this.#mayHaveRun;
  }

  /** Resolves when this process is the host. */
  acquire(): Promise<App> {
    if (this.options.signal?.aborted) this.#abort();
    if (this.#state === 'released') return Promise.reject(releasedError(this.endpoint, this.options.signal));
    if (this.#state === 'idle') {
      this.#enter('acquiring');
      this.#acquired = publishAcquire(this, this.#acquire()).then(() => this.#app);
    }
    return this.#acquired;
  }

  release(drain: number): Promise<void> {
    return this.#state === 'idle' ? this.#released : this.#release('manual', drain);
  }

  /** Whether the host keeps the process alive, whatever listeners there are. */
  setRef(isRef: boolean): void {
    this.#context.isRef = isRef;
    this.onListenersChange();
  }

  onListenersChange(): void {
    if (this.#host) this.#host.onListenersChange();
    else if (this.#state === 'released') this.#context.subscribers.end();
  }

  /** The one place where the state changes. */
  #enter(state: State): void {
    const { signal } = this.options;
    this.#state = state;
    if (state === 'acquiring') signal?.addEventListener('abort', this.#abort, { once: true });
    else if (state !== 'hosting') signal?.removeEventListener('abort', this.#abort);
    if (state === 'idle') this.#context.subscribers.endIterators();
  }

  async #acquire(): Promise<void> {
    try {
      const acquired = await acquire((attempt) => this.server.listen(attempt), this.options, this.lifetime);
      if (!('mayHaveRun' in acquired)) return await exitAfterDelivery(acquired, this.options, this.lifetime);
      this.#mayHaveRun = acquired.mayHaveRun;
      const host = await loadHost(this.#context, this.lifetime);
      const deliverOwnLaunch = await loadOwnLaunch(this.options, this.#mayHaveRun, this.lifetime);
      this.lifetime.throwIfAborted();
      this.server.assertBound();
      this.#host = host;
      this.#enter('hosting');
      this.server.attach(host.connections);
      host.start();
      await deliverOwnLaunch?.(host);
      this.lifetime.throwIfAborted();
      this.server.serve();
      this.lifetime.throwIfAborted();
    } catch (error) {
      // Accepted clients are reset, so that they try again.
      this.#host?.connections.rejectUnfinished();
      await this.server.close();
      if (this.#state === 'released') throw error;
      this.#host?.stop();
      this.#enter('idle');
      throw error;
    }
    // A tick later, so that listeners that are added after `await acquire()` get it.
    if (this.options.optionWarning) process.nextTick(this.#warn, this.options.optionWarning);
    this.onListenersChange();
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
    this.lifetime.abort(releasedError(this.endpoint, this.options.signal));
    const closed = this.server.close(drain);
    if (reason === 'timeout') host?.emit('timeout');
    await closed;
    if (host) host.end();
    else this.#context.subscribers.end();
    if (wasHost) host?.onRelease(reason);
    else await this.#acquired.catch(() => {});
  }

  readonly #abort = (): void => void this.#release('aborted');
}
