import type { ReceiptData, StatusData, VerifiedLaunch } from '../../interface/protocol.ts';
import { SingletonError } from '../../interface/errors.ts';
import { clearTimeout, setTimeout } from '../../interface/timers.ts';
import { stdioOf } from '../attempt.ts';
import { publish } from '../diagnostics.ts';
import type { ReleaseReason, SingletonEvents, VerifyFailure } from '../events.ts';
import type { ResolvedOptions } from '../options/resolved-options.ts';
import type { Server } from '../server.ts';
import { admit, OUTCOMES } from './admission.ts';
import type { Origin } from './connection.ts';
import { ConnectionManager } from './connections.ts';
import { callSafely, type ListenerResult } from './dispatch/call-safely.ts';
import { HostClient } from './dispatch/client.ts';
import { Completion } from './dispatch/completion.ts';
import type { HostContext } from './dispatch/context.ts';
import { Dispatcher, isEmpty } from './dispatch/dispatcher.ts';
import { VerifyFailures } from './dispatch/verify-failures.ts';
import { Warnings } from './dispatch/warnings.ts';
import { watchFileLimit } from './file-limit.ts';
import { IdleTimer } from './idle-timer.ts';
import type { Readers } from './readers.ts';

type Events<T, R> = SingletonEvents<T, R>;

/** Serves an endpoint: counts the launches, emits events, and dispatches. */
export class Host<T, R> {
  readonly options: ResolvedOptions<T, R>;
  readonly readers: Readers<T, R>;
  readonly connections: ConnectionManager<T, R>;
  readonly #context: HostContext<T, R>;
  readonly #warnings: Warnings<T, R>;
  readonly #verifyFailures: VerifyFailures<T, R>;
  readonly #dispatcher: Dispatcher<T, R>;
  readonly #idleTimer: IdleTimer;
  #holdTimer: NodeJS.Timeout | undefined;
  #clients = 0;
  #stopWatch = (): void => {};

  constructor(context: HostContext<T, R>, readers: Readers<T, R>) {
    this.options = context.options;
    this.readers = readers;
    this.#context = context;
    this.#warnings = context.warnings ??= new Warnings(context);
    this.#verifyFailures = new VerifyFailures(context, this.#warnings, (failure) => this.emit('verifyFailed', failure));
    this.connections = new ConnectionManager(this);
    this.#dispatcher = new Dispatcher(context, this.#warnings, () => this.#onWorkEnd());
    this.#idleTimer = new IdleTimer(
      this.options.idleTimeout,
      () => this.isIdle,
      () => context.release('idle'),
    );
  }

  get server(): Server {
    return this.#context.server;
  }

  get endpoint(): string {
    return this.server.endpoint;
  }

  /** How many clients were counted. */
  get clients(): number {
    return this.#clients;
  }

  /** The argument sets that wait for a listener. */
  get pending(): readonly T[] {
    return this.#dispatcher.pending;
  }

  /** One launch, complete and verified. `onCounted` is called before it is dispatched. `false` if it had to be dropped. */
  onLaunch(
    verified: VerifiedLaunch<T, R>,
    origin: Origin,
    remoteAddress: string | undefined,
    onCounted: (receipt: ReceiptData) => void,
  ): boolean {
    const { launch, bytes, session } = verified;
    const isOwn = origin === 'own';
    const number = isOwn ? 0 : ++this.#clients;
    this.#idleTimer.touch();
    const stdio = isOwn ? stdioOf(this.options) : undefined;
    const client = new HostClient<R>(number, verified, { remoteAddress, stdio }, this.#warnings);
    const admission = admit(number, this.options);
    const completion =
      session &&
      new Completion(
        session,
        () => this.onListenersChange(),
        () => this.#warnings.resultTooLate(client),
      );
    if (session) {
      session.onSignal = (signal) => completion?.addSignal(client.receive(signal));
      session.onEnd = (end) => publish('socket-singleton:result', () => ({ endpoint: this.endpoint, client, ...end }));
    }
    completion?.begin();
    const results = isOwn ? [] : this.#emitClient(client);
    this.#dispatcher.track(results);
    completion?.add(results);
    // Not before: if a listener of 'client' ends the process, the next host dispatches the launch.
    const { since, token, address } = this.server.bound;
    // The wire has no client 0. The own launch does not read its receipt.
    onCounted({
      outcome: OUTCOMES[admission],
      client: number || 1,
      pid: process.pid,
      since,
      version: this.options.version,
      token,
      address,
    });
    if (admission === 'release') {
      this.#context.release('threshold');
      this.connections.rejectUnfinished();
    }
    // A waiting launch gets its result from the listeners of 'args', also if it has no arguments. A handler gets every launch, and
    // is often added after `await acquire()`, when the own launch waits already.
    const mayBeHandled = this.#context.subscribers.handler !== undefined || (isOwn && !this.hasListeners);
    const isDispatchable = !isEmpty(launch.args) || session !== undefined || mayBeHandled;
    const isDispatched = admission === 'dispatch' && isDispatchable;
    if (!isDispatched) completion?.finish();
    const isTaken = !isDispatched || this.#dispatcher.dispatch({ args: launch.args, client, completion }, bytes);
    completion?.dispatched();
    if (!isTaken) this.warn(queueFullError(this.options));
    return isTaken;
  }

  #emitClient(client: HostClient<R>): readonly ListenerResult[] {
    const { emitter } = this.#context;
    publish('socket-singleton:client', () => ({ endpoint: this.endpoint, client }));
    const onError = (cause: unknown): void => this.#warnings.listenerFailed('client', cause, client);
    return emitter.rawListeners('client').map((listener) => callSafely(listener, emitter, [client], onError));
  }

  /** A client asks for the endpoint. Resolves to the answer, once the endpoint is free. */
  async replace(): Promise<'replaced' | 'refused' | 'too-late'> {
    if (!this.options.allowReplace) return 'refused';
    if (!this.server.checkHeld() || !this.server.isListening) return 'too-late';
    this.#context.release('replaced');
    await this.server.closed;
    return 'replaced';
  }

  status(): StatusData {
    const { server, options } = this;
    const { since, token, address } = server.bound;
    return {
      pid: process.pid,
      since,
      token,
      address,
      version: options.version,
      clients: this.#clients,
      pending: this.#dispatcher.pending.length,
      sessions: this.connections.openSessions,
      codecs: options.codecs.map(({ name }) => name),
    };
  }

  onVerifyFailed(failure: Pick<VerifyFailure, 'reason' | 'remoteAddress'>): void {
    this.#verifyFailures.add(failure);
  }

  onRelease(reason: ReleaseReason): void {
    publish('socket-singleton:release', () => ({ endpoint: this.endpoint, reason }));
    this.emit('release', reason);
  }

  warn(warning: SingletonError): void {
    this.#warnings.warn(warning);
  }

  emit<E extends Exclude<keyof SingletonEvents, 'args' | 'client' | 'warning'>>(
    event: E,
    ...args: Parameters<Events<T, R>[E]>
  ): void {
    const { emitter } = this.#context;
    const onError = (cause: unknown): void => this.#warnings.listenerFailed(event, cause);
    for (const listener of emitter.rawListeners(event)) callSafely(listener, emitter, args, onError);
  }

  /** Whether anything takes launches: listeners, observers, loops or a handler. */
  get hasListeners(): boolean {
    return this.#dispatcher.hasListeners;
  }

  /** Whether no launch is delivered, waits or is at work. */
  get isIdle(): boolean {
    return this.connections.isIdle && this.#dispatcher.isIdle;
  }

  #onWorkEnd(): void {
    this.#idleTimer.touch();
    this.connections.checkDrained();
  }

  /** A session has begun or ended. */
  onSessionsChange(): void {
    this.#idleTimer.touch();
    this.onListenersChange();
  }

  /** The time of a drain has expired. Reports launches that were confirmed and not dispatched, because they would be lost in silence. */
  onDrainExpired(): void {
    this.#dispatcher.warnOfPending(`The time of the drain has expired at ${this.endpoint}`);
  }

  /** Listeners or sessions have changed: they decide whether the process stays alive, and get what waits. */
  onListenersChange(): void {
    const { server, isRef } = this.#context;
    server.setRef(isRef ?? this.#needsRef);
    this.#dispatcher.scheduleDrain();
  }

  get #needsRef(): boolean {
    const isAtWork = this.connections.openSessions > this.#dispatcher.waiting;
    return isAtWork || this.#dispatcher.hasListeners || this.#context.emitter.listenerCount('client') > 0;
  }

  /** The endpoint is bound: connections may arrive. */
  start(): void {
    const { maxConnections, timeout } = this.options;
    this.#idleTimer.start();
    if (timeout > 0) this.#holdTimer = setTimeout(() => this.#context.release('timeout'), timeout).unref();
    this.#stopWatch = watchFileLimit({ endpoint: this.endpoint, maxConnections }, (warning) => this.warn(warning));
  }

  /** The opposite of `start`. */
  stop(): void {
    this.#idleTimer.stop();
    clearTimeout(this.#holdTimer);
    this.#stopWatch();
  }

  /** No further launch arrives. */
  end(): void {
    this.stop();
    this.#dispatcher.end();
    this.#verifyFailures.end();
    this.#warnings.end();
  }
}

function queueFullError<T, R>({ transport, maxPending }: ResolvedOptions<T, R>): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_BUSY',
    `A launch at ${transport.endpoint} was dropped: the queue is full (maxPending is ${maxPending}). Launches arrive faster than they are handled, or there is no listener.`,
  );
}
