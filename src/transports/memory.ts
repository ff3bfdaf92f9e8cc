import { setImmediate, setTimeout } from 'node:timers/promises';
import { invalidOptionError } from '../interface/errors.ts';
import { checkOptionNames, type OptionNames } from '../interface/option-names.ts';
import type {
  Connection,
  ConnectOptions,
  Listener,
  ListenOptions,
  Transport,
  Watcher,
} from '../interface/transport.ts';
import { connectionPair, type MemoryConnection, type Schedule } from './memory-connection.ts';

/** Options of `memory()`. */
export interface MemoryOptions {
  /**
   * Milliseconds that each connect and each chunk takes.
   * @default 0
   */
  readonly latency?: number | undefined;
  /**
   * Decides when the next step happens: it is called before each step, with a description, and awaited. With the
   * `scheduler` of fast-check, `(what) => scheduler.schedule(Promise.resolve(), what)`, a test runs the steps in many orders.
   * @default waits for `latency` milliseconds, or for one turn of the event loop if that is 0
   */
  readonly schedule?: ((what: string) => Promise<unknown>) | undefined;
  /**
   * `true`: an endpoint is held for a time, as with a lease. Listeners have `isHeld` and a `token`, and `expire` ends the time.
   * @default false
   */
  readonly lease?: boolean | undefined;
}

/** Endpoints inside one process, for tests. It produces faults on request. */
export interface MemoryNetwork {
  /**
   * Returns a transport to the endpoint with this name. All transports of one network with the same name have the same
   * endpoint.
   * @throws SingletonError `ERR_SINGLETON_INVALID_OPTION`
   */
  transport(name: string): Transport;
  /**
   * Stops the host, as SIGSTOP does: up to 511 connections are accepted, and nothing arrives at either side until `unfreeze`.
   */
  freeze(name: string): void;
  /** Resumes a frozen host. */
  unfreeze(name: string): void;
  /**
   * Ends the host, as SIGKILL does: its endpoint is free, its connections are reset, and the host receives no event from
   * its listener.
   */
  crash(name: string): void;
  /** Takes the endpoint away from its host. The listener calls `onLost`. */
  steal(name: string): void;
  /**
   * The time for which the host holds the endpoint ends, as that of a lease while its machine is paused: the endpoint is free,
   * and the host receives no event. With `lease`, `isHeld()` of its listener says so.
   */
  expire(name: string): void;
  /** The next connection to the endpoint is reset when the client has sent more than `afterBytes` bytes. */
  cutNext(name: string, afterBytes: number): void;
}

/**
 * Creates a network in memory.
 * @throws SingletonError `ERR_SINGLETON_INVALID_OPTION`
 */
export function memory(options: MemoryOptions = {}): MemoryNetwork {
  checkOptionNames(options, OPTION_NAMES);
  const { latency = 0, lease = false } = options;
  if (!Number.isFinite(latency) || latency < 0) {
    throw invalidOptionError('latency', 'a finite number of milliseconds, 0 or more', latency);
  }
  if (typeof lease !== 'boolean') throw invalidOptionError('lease', 'a boolean', lease);
  const schedule = options.schedule ?? ((): Promise<unknown> => (latency > 0 ? setTimeout(latency) : setImmediate()));
  const endpoints = new Map<string, MemoryEndpoint>();
  const endpointOf = (name: string): MemoryEndpoint => {
    const endpoint = endpoints.get(name) ?? new MemoryEndpoint(name, schedule, lease);
    endpoints.set(name, endpoint);
    return endpoint;
  };
  return {
    transport(name) {
      if (typeof name !== 'string' || name === '') throw invalidOptionError('name', 'a non-empty string', name);
      const endpoint = endpointOf(name);
      return {
        endpoint: endpoint.name,
        listen: (onConnection, listenOptions) => endpoint.listen(onConnection, listenOptions),
        connect: (connectOptions) => endpoint.connect(connectOptions),
        watch: (onChange) => endpoint.watch(onChange),
      };
    },
    freeze: (name) => endpointOf(name).freeze(),
    unfreeze: (name) => endpointOf(name).unfreeze(),
    crash: (name) => endpointOf(name).crash(),
    steal: (name) => endpointOf(name).steal(),
    expire: (name) => endpointOf(name).free(),
    cutNext: (name, afterBytes) => endpointOf(name).cutNext(afterBytes),
  };
}

const OPTION_NAMES: OptionNames<MemoryOptions> = { latency: true, schedule: true, lease: true };

interface MemoryHost {
  readonly token: number | undefined;
  readonly onConnection: (connection: Connection) => void;
  readonly onLost: () => void;
  /** The host's ends of connections that it has not accepted yet. */
  readonly backlog: Set<MemoryConnection>;
  readonly accepted: Set<MemoryConnection>;
}

/** The default backlog of `net.Server`. */
const MAX_BACKLOG = 511;

class MemoryEndpoint {
  readonly name: string;
  readonly #schedule: Schedule;
  readonly #isLease: boolean;
  readonly #cuts: number[] = [];
  #host: MemoryHost | undefined;
  /** How many there were: the fencing token of the last one. */
  #hosts = 0;
  readonly #watchers = new Set<() => void>();
  /** Set while the host is frozen. Resolves when it resumes. */
  #frozen: Deferred | undefined;

  constructor(name: string, schedule: Schedule, isLease: boolean) {
    this.#isLease = isLease;
    this.name = `memory://${name}`;
    this.#schedule = schedule;
  }

  async listen(
    onConnection: (connection: Connection) => void,
    { onLost }: ListenOptions,
  ): Promise<Listener | undefined> {
    await this.#schedule(`listen at ${this.name}`);
    if (this.#host) return undefined;
    this.#hosts += 1;
    const token = this.#isLease ? this.#hosts : undefined;
    const host: MemoryHost = { token, onConnection, onLost, backlog: new Set(), accepted: new Set() };
    this.#host = host;
    return {
      endpoint: this.name,
      token,
      ...(this.#isLease && { isHeld: () => this.#host === host }),
      close: async () => this.#close(host),
      // No other process can connect, so there is no reason to keep this one alive.
      ref() {},
      unref() {},
    };
  }

  async connect({ signal }: ConnectOptions): Promise<Connection | undefined> {
    signal.throwIfAborted();
    do {
      await raceAbort(this.#schedule(`connect to ${this.name}`), signal);
      if (this.#isFull) await raceAbort(this.#untilUnfrozen(), signal);
    } while (this.#isFull);
    return this.#host && this.#open(this.#host);
  }

  get #isFull(): boolean {
    return this.#host !== undefined && this.#host.backlog.size >= MAX_BACKLOG;
  }

  #open(host: MemoryHost): Connection {
    const schedule: Schedule = async (what) => {
      await this.#schedule(what);
      await this.#untilUnfrozen();
    };
    const [clientEnd, hostEnd] = connectionPair(schedule, this.#cuts.shift() ?? Infinity);
    clientEnd.token = host.token;
    host.backlog.add(hostEnd);
    clientEnd.send(`accept at ${this.name}`, () => {
      if (!host.backlog.delete(hostEnd)) return;
      host.accepted.add(hostEnd);
      hostEnd.once('close', () => host.accepted.delete(hostEnd));
      host.onConnection(hostEnd);
    });
    return clientEnd;
  }

  /** Resets the backlog. Accepted connections stay open. */
  #close(host: MemoryHost): void {
    if (this.#host === host) this.free();
    for (const connection of host.backlog) connection.breakPair();
    host.backlog.clear();
  }

  freeze(): void {
    this.#frozen ??= new Deferred();
  }

  unfreeze(): void {
    this.#frozen?.resolve?.();
    this.#frozen = undefined;
  }

  crash(): void {
    const host = this.#host;
    if (!host) return;
    this.#close(host);
    for (const connection of host.accepted) connection.breakPair();
    this.unfreeze();
  }

  steal(): void {
    const host = this.#host;
    this.free();
    host?.onLost();
  }

  watch(onChange: () => void): Watcher {
    const watcher = (): void => onChange();
    this.#watchers.add(watcher);
    return { close: () => void this.#watchers.delete(watcher) };
  }

  free(): void {
    this.#host = undefined;
    for (const onChange of this.#watchers) onChange();
  }

  cutNext(afterBytes: number): void {
    this.#cuts.push(afterBytes);
  }

  async #untilUnfrozen(): Promise<void> {
    await this.#frozen?.promise;
  }
}

class Deferred {
  resolve: (() => void) | undefined;
  readonly promise: Promise<void> = new Promise((resolve) => (this.resolve = resolve));
}

/** Settles as the promise does, or rejects with the signal's reason if that aborts first. */
function raceAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
