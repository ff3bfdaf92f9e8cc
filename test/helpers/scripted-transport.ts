import { Duplex } from 'node:stream';
import type { Connection, ConnectOptions, Listener, ListenOptions, Transport } from '../../src/interface/transport.ts';

/** The result of a `listen`. */
export type ListenAnswer = 'free' | 'taken' | Error;

/**
 * What a `connect` finds: `hanging` never connects; `host` accepts the launch; `silent` reads the bytes and sends nothing;
 * `reset` resets at the first byte; `foreign` answers it.
 */
export type ConnectAnswer = 'no-host' | 'hanging' | 'host' | 'silent' | 'reset' | 'foreign' | Error;

export type Step = 'listen' | 'connect' | 'deliver' | 'ref' | 'unref' | 'close';

/** The answers, in order; the last one is repeated. */
export interface Script {
  readonly listen?: readonly ListenAnswer[];
  readonly connect?: readonly ConnectAnswer[];
  /** Runs as a step begins, before its answer. `listen` waits until it has settled. */
  readonly onStep?: (step: Step) => unknown;
}

/** An `onStep` that acts at one of them. */
export function at(step: Step, act: () => unknown): (begun: Step) => unknown {
  return (begun) => (begun === step ? act() : undefined);
}

/** An endpoint that answers by a script, and records the steps. */
export class ScriptedTransport implements Transport {
  readonly endpoint = 'scripted://endpoint';
  readonly steps: Step[] = [];
  readonly connections: ScriptedConnection[] = [];
  listening: { readonly accept: (connection: Connection) => void; readonly options: ListenOptions } | undefined;
  isRef = true;
  readonly #listen: ListenAnswer[];
  readonly #connect: ConnectAnswer[];
  readonly #onStep: (step: Step) => unknown;

  constructor({ listen = ['free'], connect = ['host'], onStep = () => {} }: Script = {}) {
    this.#listen = [...listen];
    this.#connect = [...connect];
    this.#onStep = onStep;
  }

  async listen(accept: (connection: Connection) => void, options: ListenOptions): Promise<Listener | undefined> {
    // No endpoint answers synchronously.
    await Promise.resolve();
    await this.#begin('listen');
    const answer = next(this.#listen);
    if (answer instanceof Error) throw answer;
    if (answer === 'taken') return undefined;
    this.listening = { accept, options };
    return {
      endpoint: `${this.endpoint}/bound`,
      close: async () => {
        this.#begin('close');
        this.listening = undefined;
      },
      ref: () => this.#setRef(true),
      unref: () => this.#setRef(false),
    };
  }

  async connect({ signal }: ConnectOptions): Promise<Connection | undefined> {
    this.#begin('connect');
    signal.throwIfAborted();
    const answer = next(this.#connect);
    if (answer instanceof Error) throw answer;
    if (answer === 'no-host') return undefined;
    if (answer === 'hanging') return rejectOnAbort(signal);
    const connection = new ScriptedConnection((other) => {
      this.#begin('deliver');
      if (answer === 'foreign') other.push('220 welcome');
      if (answer === 'reset') other.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }));
      if (answer === 'host') other.push(null);
    });
    this.connections.push(connection);
    return connection;
  }

  /** Connects a client to the host that is listening here. */
  connectClient(remoteAddress?: string): ScriptedConnection {
    if (!this.listening) throw new Error('no host is listening');
    const connection = new ScriptedConnection(() => {}, remoteAddress);
    this.connections.push(connection);
    this.listening.accept(connection);
    return connection;
  }

  #setRef(value: boolean): void {
    this.#begin(value ? 'ref' : 'unref');
    this.isRef = value;
  }

  #begin(step: Step): unknown {
    this.steps.push(step);
    return this.#onStep(step);
  }
}

/** A connection whose other side is the test: `push` is what arrives, `push(null)` its end. */
export class ScriptedConnection extends Duplex {
  readonly remoteAddress: string | undefined;
  wasReset = false;
  /** The client never reads the host's end: only a destroy closes the connection. */
  isStuck = false;
  readonly #onFirstBytes: (self: ScriptedConnection) => void;
  #received = '';

  constructor(onFirstBytes: (self: ScriptedConnection) => void, remoteAddress?: string) {
    super();
    this.#onFirstBytes = onFirstBytes;
    this.remoteAddress = remoteAddress;
  }

  /** What was written. */
  get received(): string {
    return this.#received;
  }

  resetAndDestroy(): this {
    this.wasReset = true;
    return this.destroy();
  }

  override _read(): void {}

  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    const isFirst = this.#received === '';
    this.#received += new TextDecoder().decode(chunk);
    if (isFirst) this.#onFirstBytes(this);
    done();
  }

  override _final(done: () => void): void {
    if (!this.isStuck) done();
  }
}

function next<Answer>(answers: Answer[]): Answer {
  const [first] = answers.length > 1 ? answers.splice(0, 1) : answers;
  if (first === undefined) throw new Error('an empty script');
  return first;
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
