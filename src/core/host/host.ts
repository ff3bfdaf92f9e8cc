import type * as Typed from 'typed-emitter';
import type { Codec, ReadLaunch, VerifiedLaunch } from '../../interface/codec.ts';
import { SingletonError } from '../../interface/errors.ts';
import type { Connection } from '../../interface/transport.ts';
import type { Client, SingletonEvents, VerifyFailure } from '../events.ts';
import type { ResolvedOptions } from '../options.ts';
import type { Subscribers } from '../subscribers.ts';
import { HostClient } from './client.ts';
import { Completion } from './completion.ts';
import type { DispatchedReceipt } from './connection.ts';
import { ConnectionManager } from './connections.ts';
import { Dispatcher } from './dispatcher.ts';
import { emitSafely, type ListenerResult } from './emit-safely.ts';
import { printFailure, printWarning, RateLimit } from './warnings.ts';
type Events<T, R> = SingletonEvents<T, R>;
type Name = keyof SingletonEvents<never>;

/** Whom a Singleton tells what; also without a host. */
export interface HostContext<T, R> {
  readonly options: ResolvedOptions<T, R>;
  /** Who hears of it. */
  readonly emitter: Typed.default<Events<T, R>>;
  /** Bounds the warnings, from the first one on. */
  warningLimiter?: RateLimit;
}

/** What a host has of its Singleton. */
export interface HostOwner<T, R> {
  readonly telling: HostContext<T, R>;
  /** When the endpoint was got: milliseconds since 1970. */
  readonly since: number;
  readonly audience: Subscribers<T, R>;
  /** The threshold is reached. */
  readonly release: () => void;
  /** A conversation began or ended. */
  readonly changed: () => void;
}

/** A host that can read launches. @throws SingletonError `ERR_SINGLETON_INVALID_OPTION`, or what the codec threw if it is one */
export async function createHost<T, R>(served: HostOwner<T, R>): Promise<Host<T, R>> {
  return new Host(served, await loadReader(served.telling.options.codec));
}

async function loadReader<T, R>({ name, protocol }: Codec<T, R>): Promise<ReadLaunch<T, R>> {
  let cause: unknown;
  try {
    const receive = await protocol.inbound();
    if (typeof receive === 'function') return receive;
  } catch (error) {
    if (error instanceof SingletonError) throw error;
    cause = error;
  }
  throw new SingletonError(
    'ERR_SINGLETON_INVALID_OPTION',
    `Option "codec": expected inbound() of "${name}" to return what reads launches; it did not, and the endpoint is free again.`,
    { cause },
  );
}

/** Emits a warning, and prints it where that is wanted. */
export function warn<T, R>(warning: SingletonError, telling: HostContext<T, R>): void {
  telling.warningLimiter ??= new RateLimit((count) =>
    emitWarning(floodWarning(count, 'warnings were not emitted'), telling),
  );
  telling.warningLimiter.pass(() => emitWarning(warning, telling));
}

function emitWarning<T, R>(warning: SingletonError, { options, emitter }: HostContext<T, R>): void {
  if (options.verbose) printWarning(warning);
  emitSafely(emitter.rawListeners('warning'), emitter, [warning]);
}

/** Serves an endpoint: counts the launches that come, tells the listeners, and hands them on. */
export class Host<T, R> {
  readonly #owner: HostOwner<T, R>;
  readonly #context: HostContext<T, R>;
  readonly #connections: ConnectionManager<T, R>;
  readonly #dispatcher: Dispatcher<T, R>;
  readonly #printLimiter = new RateLimit((count) => this.warn(floodWarning(count, 'refused clients were not printed')));
  #clients = 0;

  constructor(served: HostOwner<T, R>, receive: ReadLaunch<T, R>) {
    const { since, audience, telling } = served;
    const { options, emitter } = telling;
    this.#owner = served;
    this.#context = telling;
    this.#dispatcher = new Dispatcher(options, audience, {
      exist: () => emitter.listenerCount('args') > 0,
      call: ({ args, client }) => this.#emitFor(client, 'args', args, client),
      warn: this.warn,
    });
    this.#connections = new ConnectionManager(options, receive, since, {
      launched: this.#onLaunch,
      verifyFailed: this.#onVerifyFailed,
      warning: this.warn,
      changed: served.changed,
    });
  }

  /** How many clients were counted. */
  get clients(): number {
    return this.#clients;
  }

  /** What waits until somebody takes it. */
  get pending(): readonly T[] {
    return this.#dispatcher.pending;
  }

  /** Whether somebody listens, or was given a launch that waits for its last word. */
  get needsRef(): boolean {
    const isAnswering = this.#connections.openSessions > this.#dispatcher.waiting;
    return isAnswering || this.#dispatcher.hasListeners || this.#context.emitter.listenerCount('client') > 0;
  }

  accept(connection: Connection): void {
    this.#connections.accept(connection);
  }

  /** So many connections had to make room before this host was there. */
  dropped(count: number): void {
    const message = `${count} connections were cut off before this host could read them: more than maxConnections came.`;
    this.warn(new SingletonError('ERR_SINGLETON_BUSY', message));
  }

  /** Somebody may listen now. */
  onListenersChanged(): void {
    this.#dispatcher.scheduleDrain();
  }

  /** From here on no launch is complete: who is on the way claims the endpoint itself. */
  rejectUnfinished(): void {
    this.#connections.rejectUnfinished();
  }

  /** Resolves when the last connection is closed. */
  drain(): Promise<void> {
    return this.#connections.drain();
  }

  /** No launch comes any more. */
  end(): void {
    this.#dispatcher.end();
    this.#context.warningLimiter?.end();
    this.#printLimiter.end();
  }

  readonly warn = (warning: SingletonError): void => warn(warning, this.#context);

  emit<E extends Name>(event: E, ...args: Parameters<Events<T, R>[E]>): void {
    const { emitter } = this.#context;
    emitSafely(emitter.rawListeners(event), emitter, args);
  }

  /** One launch, complete and verified: counted, told, then released, ignored or published. */
  readonly #onLaunch = (
    { launch, bytes, session }: VerifiedLaunch<T, R>,
    remoteAddress: string | undefined,
    dispatching: (what: DispatchedReceipt) => void,
  ): boolean => {
    const number = ++this.#clients;
    const client = new HostClient<R>({ number, launch, remoteAddress, dialogue: session });
    const admission = admit(number, this.#context.options);
    dispatching({ outcome: OUTCOMES[admission], client: number });
    const attendance = new Completion((attended) => {
      session?.attended(attended);
      if (session) this.#owner.changed();
    });
    attendance.call(() => this.#emitFor(client, 'client', client));
    if (admission === 'release') {
      this.#owner.release();
      this.rejectUnfinished();
    }
    // Who waits for an answer gets it of the listeners for args, also without any.
    if (admission !== 'publish' || (isEmpty(launch.args) && !session)) {
      attendance.finishCalling();
      return true;
    }
    if (this.#dispatcher.dispatch({ args: launch.args, client, attendance }, bytes)) return true;
    this.warn(queueFullError(this.#context.options));
    return false;
  };

  readonly #onVerifyFailed = (failure: VerifyFailure): void => {
    if (this.#context.options.verbose) this.#printLimiter.pass(() => printFailure(failure));
    this.emit('verifyFailed', failure);
  };

  /** A listener that rejects because nobody waits any more, as its streams and its signal let it, hurts nobody. */
  #emitFor<E extends 'args' | 'client'>(
    client: Client<R>,
    event: E,
    ...args: Parameters<Events<T, R>[E]>
  ): ListenerResult[] {
    const { emitter } = this.#context;
    return emitSafely(emitter.rawListeners(event), emitter, args, (cause) => {
      const isForgiven = client.waiting && client.signal.aborted;
      if (isForgiven) this.warn(clientGoneWarning(cause));
      return isForgiven;
    });
  }
}

const OUTCOMES = { publish: 'delivered', throttle: 'throttled', release: 'released' } as const;

function isEmpty(args: unknown): boolean {
  return Array.isArray(args) && args.length === 0;
}

function queueFullError<T, R>({ maxPending }: ResolvedOptions<T, R>): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_BUSY',
    `Arguments were dropped: too much waits already (maxPending is ${maxPending}), and nobody listens to "args".`,
  );
}

function clientGoneWarning(cause: unknown): SingletonError {
  const message = 'A listener rejected when nobody waited for its answer any more.';
  return new SingletonError('ERR_SINGLETON_OBSERVER_FAILED', message, { cause });
}

function floodWarning(count: number, what: string): SingletonError {
  return new SingletonError('ERR_SINGLETON_BUSY', `Too much came at once: ${count} more ${what}.`);
}

/** What becomes of a client that was just counted. */
export type Admission = 'publish' | 'throttle' | 'release';

export interface AdmissionRules {
  /** 0: no limit. */
  readonly maxClients: number;
  /** 0: never. */
  readonly releaseThreshold: number;
}

/** `count` includes this client. The order is the Python package's: the threshold goes before the throttle. */
export function admit(count: number, { maxClients, releaseThreshold }: AdmissionRules): Admission {
  if (releaseThreshold > 0 && count >= releaseThreshold) return 'release';
  if (maxClients > 0 && count > maxClients) return 'throttle';
  return 'publish';
}
