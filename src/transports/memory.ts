import { setImmediate, setTimeout } from 'node:timers/promises';
import { invalidOptionError } from '../interface/errors.ts';
import type { Connection, ConnectOptions, Listener, ListenOptions, Transport } from '../interface/transport.ts';
import { connectionPair, type MemoryConnection, type Pass } from './memory-connection.ts';

/** How a network in memory behaves. */
export interface MemoryOptions {
  /**
   * Milliseconds that a connect, and each chunk, takes.
   * @default 0
   */
  readonly latency?: number | undefined;
  /**
   * Says when the next thing happens: is called before each, with a word for it, and waited for. fast-check's
   * `scheduler` makes interleavings of it: `(what) => scheduler.schedule(Promise.resolve(), what)`.
   * @default a turn of the event loop, or the latency
   */
  readonly schedule?: ((what: string) => Promise<unknown>) | undefined;
}

/** Endpoints inside one process, for tests: what can go wrong with an endpoint can be asked for. */
export interface MemoryNetwork {
  /** A transport to the endpoint of this name. Whoever has one to the same name, of the same network, claims the same endpoint. */
  transport(name: string): Transport;
  /** Stops the host as a signal would: connections are taken, 511 at most, and nothing more arrives on either side. */
  freeze(name: string): void;
  /** Lets a frozen host go on. */
  thaw(name: string): void;
  /** Ends the host as if its process had been killed: the endpoint is free, its connections are reset, it is not told. */
  crash(name: string): void;
  /** Takes the endpoint away from its host, which is told so. */
  steal(name: string): void;
  /** The next connection to the endpoint is reset as soon as more than so many bytes came from the client. */
  cutNext(name: string, afterBytes: number): void;
}

/**
 * A network in memory.
 * @throws SingletonError `ERR_SINGLETON_INVALID_OPTION`
 */
export function memory({ latency = 0, schedule }: MemoryOptions = {}): MemoryNetwork {
  if (!Number.isFinite(latency) || latency < 0) throw invalidOptionError('latency', 'milliseconds from 0', latency);
  const pass = schedule ?? ((): Promise<unknown> => (latency > 0 ? setTimeout(latency) : setImmediate()));
  const endpoints = new Map<string, MemoryEndpoint>();
  const at = (name: string): MemoryEndpoint => {
    const endpoint = endpoints.get(name) ?? new MemoryEndpoint(name, pass);
    endpoints.set(name, endpoint);
    return endpoint;
  };
  return {
    transport(name) {
      if (typeof name !== 'string' || name === '') throw invalidOptionError('name', 'a name', name);
      const endpoint = at(name);
      return {
        endpoint: endpoint.name,
        listen: (onConnection, options) => endpoint.listen(onConnection, options),
        connect: (options) => endpoint.connect(options),
      };
    },
    freeze: (name) => at(name).freeze(),
    thaw: (name) => at(name).thaw(),
    crash: (name) => at(name).crash(),
    steal: (name) => at(name).steal(),
    cutNext: (name, afterBytes) => at(name).cutNext(afterBytes),
  };
}

interface MemoryHost {
  readonly onConnection: (connection: Connection) => void;
  readonly onLost: () => void;
  /** The host's ends. */
  readonly waiting: Set<MemoryConnection>;
  readonly accepted: Set<MemoryConnection>;
}

/** Connections that wait for a host, as with `net.Server`. */
const BACKLOG = 511;

class MemoryEndpoint {
  readonly name: string;
  readonly #pass: Pass;
  readonly #cuts: number[] = [];
  #host: MemoryHost | undefined;
  #thawed: Deferred | undefined;

  constructor(name: string, pass: Pass) {
    this.name = `memory://${name}`;
    this.#pass = pass;
  }

  async listen(
    onConnection: (connection: Connection) => void,
    { onLost }: ListenOptions,
  ): Promise<Listener | undefined> {
    await this.#pass(`listen at ${this.name}`);
    if (this.#host) return undefined;
    const host: MemoryHost = { onConnection, onLost, waiting: new Set(), accepted: new Set() };
    this.#host = host;
    return {
      endpoint: this.name,
      close: async () => this.#free(host),
      // In one process a host that nothing else keeps alive would wait for nobody.
      ref() {},
      unref() {},
    };
  }

  async connect({ signal }: ConnectOptions): Promise<Connection | undefined> {
    signal.throwIfAborted();
    do {
      await orAborted(this.#pass(`connect to ${this.name}`), signal);
      if (this.#isFull) await orAborted(this.#awake(), signal);
    } while (this.#isFull);
    return this.#host && this.#open(this.#host);
  }

  get #isFull(): boolean {
    return this.#host !== undefined && this.#host.waiting.size >= BACKLOG;
  }

  #open(host: MemoryHost): Connection {
    const passAwake: Pass = async (what) => {
      await this.#pass(what);
      await this.#awake();
    };
    const [near, far] = connectionPair(passAwake, this.#cuts.shift() ?? Infinity);
    host.waiting.add(far);
    near.send(`accept at ${this.name}`, () => {
      if (!host.waiting.delete(far)) return;
      host.accepted.add(far);
      far.once('close', () => host.accepted.delete(far));
      host.onConnection(far);
    });
    return near;
  }

  /** Its connections go on, those that were not accepted are reset. */
  #free(host: MemoryHost): void {
    if (this.#host === host) this.#host = undefined;
    for (const connection of host.waiting) connection.break();
    host.waiting.clear();
  }

  freeze(): void {
    this.#thawed ??= new Deferred();
  }

  thaw(): void {
    this.#thawed?.resolve?.();
    this.#thawed = undefined;
  }

  crash(): void {
    const host = this.#host;
    if (!host) return;
    this.#free(host);
    for (const connection of host.accepted) connection.break();
    this.thaw();
  }

  steal(): void {
    const host = this.#host;
    this.#host = undefined;
    host?.onLost();
  }

  cutNext(afterBytes: number): void {
    this.#cuts.push(afterBytes);
  }

  async #awake(): Promise<void> {
    await this.#thawed?.promise;
  }
}

class Deferred {
  resolve: (() => void) | undefined;
  readonly promise: Promise<void> = new Promise((resolve) => (this.resolve = resolve));
}

function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
