import { SingletonError } from '../../interface/errors.ts';
import type { Listener } from '../../interface/transport.ts';
import type { ResolvedOptions } from '../options/resolved-options.ts';
import type { Start } from '../options/start.ts';
import { HostProcess } from './host-process.ts';
import { startLock } from './lock.ts';

/**
 * Starts a host for a delivery that finds none. Of several processes of one user one starts it, the one that binds a lock. The
 * others try until they find the host, or the lock is free.
 */
export class Starter {
  readonly #start: Start;
  readonly #endpoint: string;
  readonly #deliveryTimeout: number;
  #lock: Listener | undefined;
  #process: HostProcess | undefined;

  constructor(
    start: Start,
    { transport, deliveryTimeout }: Pick<ResolvedOptions<never>, 'transport' | 'deliveryTimeout'>,
  ) {
    this.#start = start;
    this.#endpoint = transport.endpoint;
    this.#deliveryTimeout = deliveryTimeout;
  }

  /**
   * No host is there. Each call is followed by another attempt to connect, so the host is started only if there was none after this
   * process got the lock.
   * @throws SingletonError `ERR_SINGLETON_START_FAILED`
   */
  async onNoHost(): Promise<void> {
    if (this.#process) {
      const failure = this.#process.failure;
      if (failure !== undefined) throw this.#error(failure);
    } else if (this.#lock) {
      this.#process = this.#spawn();
    } else {
      this.#lock = await this.#tryLock();
    }
  }

  /** The time for the delivery has expired. */
  timeoutError(): SingletonError {
    const state = this.#process?.state ?? 'another process was starting it';
    return this.#error(`it did not listen within ${this.#deliveryTimeout} ms (deliveryTimeout): ${state}`);
  }

  /** The delivery has ended. The host goes on. */
  async end(): Promise<void> {
    this.#process?.detach();
    await this.#lock?.close();
  }

  #spawn(): HostProcess {
    try {
      return new HostProcess(this.#start, startLock(this.#endpoint).log);
    } catch (cause) {
      if (cause instanceof SingletonError) throw cause;
      throw this.#error(
        `the ${typeof this.#start === 'function' ? 'function threw' : 'command could not be run'}`,
        cause,
      );
    }
  }

  async #tryLock(): Promise<Listener | undefined> {
    try {
      const options = { onWarning: () => {}, onLost: () => {} };
      return await startLock(this.#endpoint).transport.listen((probe) => void probe.destroy(), options);
    } catch (cause) {
      throw this.#error('the lock that lets one process start it could not be made', cause);
    }
  }

  #error(reason: string, cause?: unknown): SingletonError {
    const message = `The host at ${this.#endpoint} could not be started: ${reason}. Nothing was delivered.`;
    return new SingletonError('ERR_SINGLETON_START_FAILED', message, cause === undefined ? undefined : { cause });
  }
}
