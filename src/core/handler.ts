import { invalidOptionError } from '../interface/errors.ts';
import { checkOptionNames, type OptionNames } from '../interface/option-names.ts';
import type { Arrival, Client } from './events.ts';

/**
 * Answers launches: what it returns is the reply. `undefined` stands for exit status 0. What it throws or rejects with fails
 * the launch.
 */
export type Handler<T, R = unknown> = (args: T, client: Client<R>) => R | void | PromiseLike<R | void>;

/** Options of `handle`. */
export interface HandleOptions {
  /**
   * How many launches the handler works on at a time; the others wait in order.
   * @default Infinity
   */
  readonly concurrency?: number | undefined;
}

const OPTION_NAMES: OptionNames<HandleOptions> = { concurrency: true };

/** The handler of a Singleton, with the number of launches that it works on. */
export class LimitedHandler<T, R> {
  readonly #handler: Handler<T, R>;
  readonly #concurrency: number;
  readonly #onReady: () => void;
  #active = 0;

  /** `onReady` is called when it can take one more. @throws SingletonError `ERR_SINGLETON_INVALID_OPTION` */
  constructor(handler: Handler<T, R>, options: HandleOptions, onReady: () => void) {
    checkOptionNames(options, OPTION_NAMES);
    const { concurrency = Infinity } = options;
    const isInteger = Number.isSafeInteger(concurrency) && concurrency >= 1;
    if (!isInteger && concurrency !== Infinity)
      throw invalidOptionError('concurrency', 'an integer from 1, or Infinity', concurrency);
    if (typeof handler !== 'function') throw invalidOptionError('handler', 'a function', handler);
    this.#handler = handler;
    this.#concurrency = concurrency;
    this.#onReady = onReady;
  }

  get isReady(): boolean {
    return this.#active < this.#concurrency;
  }

  /** Calls the handler, and sets what it returns as the result. Rejects with what it throws. */
  async answer({ args, client }: Arrival<T, R>): Promise<void> {
    this.#active += 1;
    try {
      const value = await this.#handler(args, client);
      if (!client.waiting) return;
      if (value === undefined) client.exit();
      else client.reply(value);
    } finally {
      this.#active -= 1;
      this.#onReady();
    }
  }
}
