import type { Receipt } from './receipt.ts';
/** Every way in which a claim, a hand-off or a connection can fail; which of them occur is up to the codec. */
export type SingletonErrorCode =
  | 'ERR_SINGLETON_INVALID_OPTION'
  | 'ERR_SINGLETON_ALREADY_RUNNING'
  | 'ERR_SINGLETON_NO_HOST'
  | 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE'
  | 'ERR_SINGLETON_FOREIGN_HOST'
  | 'ERR_SINGLETON_HOST_UNRESPONSIVE'
  | 'ERR_SINGLETON_VERIFICATION_FAILED'
  | 'ERR_SINGLETON_WRONG_APPLICATION'
  | 'ERR_SINGLETON_UNSUPPORTED_VERSION'
  | 'ERR_SINGLETON_INVALID_ARGS'
  | 'ERR_SINGLETON_MESSAGE_TOO_LARGE'
  | 'ERR_SINGLETON_MALFORMED_MESSAGE'
  | 'ERR_SINGLETON_TRUNCATED_MESSAGE'
  | 'ERR_SINGLETON_UNENCODABLE'
  | 'ERR_SINGLETON_OBSERVER_FAILED'
  | 'ERR_SINGLETON_CONNECTION_FAILED'
  | 'ERR_SINGLETON_BUSY'
  | 'ERR_SINGLETON_RELEASED';

/** The one class of what this library throws, rejects with and warns of. Branch on `code`. */
export class SingletonError extends Error {
  static {
    this.prototype.name = 'SingletonError';
  }

  /** What failed. */
  readonly code: SingletonErrorCode;

  constructor(code: SingletonErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Another process is the host: a launch with `strict: false` rejects with this once its hand-off is done. */
export class MultipleSingletonsError extends SingletonError {
  static {
    this.prototype.name = 'MultipleSingletonsError';
  }

  /** Always the same. */
  declare readonly code: 'ERR_SINGLETON_ALREADY_RUNNING';
  /** What became of this launch's arguments. */
  readonly receipt: Receipt;

  constructor(endpoint: string, receipt: Receipt) {
    super(
      'ERR_SINGLETON_ALREADY_RUNNING',
      `Another process holds ${endpoint}; the hand-off of this launch ended as "${receipt.outcome}".`,
    );
    this.receipt = receipt;
  }
}

/** `ERR_SINGLETON_INVALID_OPTION`: names the option, what is allowed and what came. */
export function invalidOptionError(name: string, expected: string, value: unknown): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_INVALID_OPTION',
    `Option "${name}": expected ${expected}, got ${describe(value)}.`,
  );
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'string') {
    return `${JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)} (string)`;
  }
  if (typeof value === 'number' || typeof value === 'boolean') return `${value} (${typeof value})`;
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value)) return `an array of ${value.length}`;
  return `a value of type ${typeof value}`;
}

/** For an `import()` of what is loaded later. */
export function moduleNotLoadedError(cause: unknown): never {
  throw new SingletonError(
    'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
    'A file of this package could not be loaded. Where it was replaced while the program ran, launch it again.',
    { cause },
  );
}
