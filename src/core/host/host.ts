import type * as Typed from 'typed-emitter';
import type { Codec, Receive, Verified } from '../../interface/codec.ts';
import { SingletonError } from '../../interface/errors.ts';
import type { Connection } from '../../interface/transport.ts';
import type { Client, SingletonEvents, VerifyFailure } from '../events.ts';
import type { ResolvedOptions } from '../options.ts';
import type { Audience } from '../subscribers.ts';
import { ClientView } from './client.ts';
import { Attendance } from './completion.ts';
import type { Dispatched } from './connection.ts';
import { Visits } from './connections.ts';
import { Publisher } from './dispatcher.ts';
import { callEach, type Done } from './emit-safely.ts';
import { printFailure, printWarning, RateLimit } from './warnings.ts';
type Events<T, R> = SingletonEvents<T, R>;
type Name = keyof SingletonEvents<never>;

/** Whom a Singleton tells what; also without a host. */
export interface Telling<T, R> {
  readonly options: ResolvedOptions<T, R>;
  /** Who hears of it. */
  readonly emitter: Typed.default<Events<T, R>>;
  /** Bounds the warnings, from the first one on. */
  warned?: RateLimit;
}

/** What a host has of its Singleton. */
export interface Served<T, R> {
  readonly telling: Telling<T, R>;
  /** When the place was got: milliseconds since 1970. */
  readonly since: number;
  readonly audience: Audience<T, R>;
  /** The threshold is reached. */
  readonly release: () => void;
  /** A conversation began or ended. */
  readonly changed: () => void;
}

/** A host that can read launches. @throws SingletonError `ERR_SINGLETON_INVALID_OPTION`, or what the codec threw if it is one */
export async function open<T, R>(served: Served<T, R>): Promise<Host<T, R>> {
  return new Host(served, await load(served.telling.options.codec));
}

async function load<T, R>({ name, protocol }: Codec<T, R>): Promise<Receive<T, R>> {
  let cause: unknown;
  try {
    const receive = await protocol.load();
    if (typeof receive === 'function') return receive;
  } catch (error) {
    if (error instanceof SingletonError) throw error;
    cause = error;
  }
  throw new SingletonError(
    'ERR_SINGLETON_INVALID_OPTION',
    `Option "codec": expected load() of "${name}" to give what reads launches; it did not, and the place is free again.`,
    { cause },
  );
}

/** Emits a warning, and prints it where that is wanted. */
export function warn<T, R>(warning: SingletonError, telling: Telling<T, R>): void {
  telling.warned ??= new RateLimit((count) => tell(leftOut(count, 'warnings were not emitted'), telling));
  telling.warned.pass(() => tell(warning, telling));
}

function tell<T, R>(warning: SingletonError, { options, emitter }: Telling<T, R>): void {
  if (options.verbose) printWarning(warning);
  callEach(emitter.rawListeners('warning'), emitter, [warning]);
}

/** Serves a place: counts the launches that come, tells the listeners, and hands them on. */
export class Host<T, R> {
  readonly #served: Served<T, R>;
  readonly #telling: Telling<T, R>;
  readonly #visits: Visits<T, R>;
  readonly #publisher: Publisher<T, R>;
  readonly #printed = new RateLimit((count) => this.warn(leftOut(count, 'refused clients were not printed')));
  #clients = 0;

  constructor(served: Served<T, R>, receive: Receive<T, R>) {
    const { since, audience, telling } = served;
    const { options, emitter } = telling;
    this.#served = served;
    this.#telling = telling;
    this.#publisher = new Publisher(options, audience, {
      exist: () => emitter.listenerCount('args') > 0,
      call: ({ args, client }) => this.#tellOf(client, 'args', args, client),
      warn: this.warn,
    });
    this.#visits = new Visits(options, receive, since, {
      launched: this.#admit,
      verifyFailed: this.#refuse,
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
    return this.#publisher.pending;
  }

  /** Whether somebody listens, or was given a launch that waits for its last word. */
  get isHeard(): boolean {
    const isAnswering = this.#visits.conversations > this.#publisher.waiting;
    return isAnswering || this.#publisher.isHeard || this.#telling.emitter.listenerCount('client') > 0;
  }

  accept(connection: Connection): void {
    this.#visits.accept(connection);
  }

  /** So many connections had to make room before this host was there. */
  missed(count: number): void {
    const message = `${count} connections were cut off before this host could read them: more than maxConnections came.`;
    this.warn(new SingletonError('ERR_SINGLETON_BUSY', message));
  }

  /** Somebody may listen now. */
  listened(): void {
    this.#publisher.drainSoon();
  }

  /** From here on no launch is complete: who is on the way claims the place itself. */
  cut(): void {
    this.#visits.cut();
  }

  /** Resolves when the last connection is closed. */
  settle(): Promise<void> {
    return this.#visits.settle();
  }

  /** No launch comes any more. */
  end(): void {
    this.#publisher.end();
    this.#telling.warned?.end();
    this.#printed.end();
  }

  readonly warn = (warning: SingletonError): void => warn(warning, this.#telling);

  emit<E extends Name>(event: E, ...args: Parameters<Events<T, R>[E]>): void {
    const { emitter } = this.#telling;
    callEach(emitter.rawListeners(event), emitter, args);
  }

  /** One launch, complete and verified: counted, told, then released, ignored or published. */
  readonly #admit = (
    { launch, bytes, dialogue }: Verified<T, R>,
    remoteAddress: string | undefined,
    dispatching: (what: Dispatched) => void,
  ): boolean => {
    const number = ++this.#clients;
    const client = new ClientView<R>({ number, launch, remoteAddress, dialogue });
    const admission = admit(number, this.#telling.options);
    dispatching({ outcome: OUTCOMES[admission], client: number });
    const attendance = new Attendance((attended) => {
      dialogue?.attended(attended);
      if (dialogue) this.#served.changed();
    });
    attendance.give(() => this.#tellOf(client, 'client', client));
    if (admission === 'release') {
      this.#served.release();
      this.cut();
    }
    // Who waits for an answer gets it of the listeners for args, also without any.
    if (admission !== 'publish' || (isEmpty(launch.args) && !dialogue)) {
      attendance.complete();
      return true;
    }
    if (this.#publisher.publish({ args: launch.args, client, attendance }, bytes)) return true;
    this.warn(full(this.#telling.options));
    return false;
  };

  readonly #refuse = (failure: VerifyFailure): void => {
    if (this.#telling.options.verbose) this.#printed.pass(() => printFailure(failure));
    this.emit('verifyFailed', failure);
  };

  /** A listener that rejects because nobody waits any more, as its streams and its signal let it, hurts nobody. */
  #tellOf<E extends 'args' | 'client'>(client: Client<R>, event: E, ...args: Parameters<Events<T, R>[E]>): Done[] {
    const { emitter } = this.#telling;
    return callEach(emitter.rawListeners(event), emitter, args, (cause) => {
      const isForgiven = client.waiting && client.signal.aborted;
      if (isForgiven) this.warn(leftAlone(cause));
      return isForgiven;
    });
  }
}

const OUTCOMES = { publish: 'delivered', throttle: 'throttled', release: 'released' } as const;

function isEmpty(args: unknown): boolean {
  return Array.isArray(args) && args.length === 0;
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
