import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Listener,
  MultipleSingletonsError,
  type Singleton,
  type StatusOptions,
  type Transport,
} from '../../index.ts';
import { StatusError } from '../command.ts';
import { BUSY_STATUS } from '../exit-status.ts';
import { type HeldOptions, isHeld } from '../host-status.ts';

/** The endpoint of a "run": what it passes to the library for it, and what that reports. */
export class Hold {
  readonly transport: Transport;
  /** The option of the library: aborts when it is of no use to wait. */
  readonly signal: AbortSignal | undefined;
  readonly #options: HeldOptions;
  readonly #waiting: Waiting | undefined;
  #listener: Listener | undefined;

  constructor(transport: Transport, options: StatusOptions, isWaiting: boolean) {
    this.#options = { ...options, transport };
    this.#waiting = isWaiting ? new Waiting(this.#options) : undefined;
    this.signal = this.#waiting?.signal;
    this.transport = {
      ...transport,
      listen: async (onConnection, listenOptions) => {
        this.#listener = await transport.listen(onConnection, listenOptions);
        if (!this.#listener) this.#waiting?.ask();
        return this.#listener;
      },
    };
  }

  /** The descriptor of the socket once it listens. */
  get descriptor(): number | undefined {
    return this.#listener?.descriptor;
  }

  /**
   * Takes the endpoint, or delivers the launch to its host if `isSending`.
   * @throws MultipleSingletonsError if the endpoint is held
   * @throws SingletonError if another program holds it, or a host that refuses this process
   */
  async acquire(app: Singleton<unknown>, isSending: boolean): Promise<void> {
    try {
      await acquire(app, async () => isSending || isHeld(this.#options));
    } catch (error) {
      throw this.signal?.aborted ? this.signal.reason : error;
    } finally {
      await this.#waiting?.end();
    }
  }
}

/** Asks once, while a "run" waits, what holds the endpoint. */
class Waiting {
  readonly #options: HeldOptions;
  readonly #refused = new AbortController();
  readonly #ended = new AbortController();
  #answer: Promise<unknown> | undefined;

  constructor(options: HeldOptions) {
    this.#options = options;
  }

  /** Aborts with the error if another program holds the endpoint, or a host that refuses this process. */
  get signal(): AbortSignal {
    return this.#refused.signal;
  }

  ask(): void {
    const options = { ...this.#options, signal: this.#ended.signal };
    this.#answer ??= isHeld(options).catch((reason: unknown) => this.#refused.abort(reason));
  }

  async end(): Promise<void> {
    this.#ended.abort();
    await this.#answer;
  }
}

/**
 * Tries again if nothing holds the endpoint any more. `askIfHeld` is called if it is in use.
 * @throws MultipleSingletonsError if it is held
 */
export async function acquire(app: Singleton<unknown>, askIfHeld: () => Promise<boolean>): Promise<void> {
  for (let attempts = 1; ; attempts += 1) {
    try {
      await app.acquire();
      return;
    } catch (error) {
      if (!(error instanceof MultipleSingletonsError) || (await askIfHeld())) throw error;
    }
    if (attempts === MAX_ATTEMPTS)
      throw new StatusError(BUSY_STATUS, `${app.endpoint} is in use, but no host is listening there.`);
    await sleep(RETRY_DELAY);
  }
}

/** For half a second. Then it is a port that is in use without a listener, such as that of an outgoing connection. */
const MAX_ATTEMPTS = 20;
const RETRY_DELAY = 25;
