import type { Receipt } from './receipt.ts';

/**
 * Why something failed. A launch rejects with most of these, a host emits some as a `warning`. Which ones can occur depends
 * on the codec and the transport.
 *
 * - `ERR_SINGLETON_INVALID_OPTION`: an option is unknown or has the wrong type or value, or what it needs could not be loaded.
 * - `ERR_SINGLETON_ALREADY_RUNNING`: another process is the host, and `strict` is `false`. See `receipt.outcome`.
 * - `ERR_SINGLETON_NO_HOST`: `Singleton.send` found no host.
 * - `ERR_SINGLETON_START_FAILED`: `Singleton.send` could not start the host (`start`), or it ended before it listened.
 * - `ERR_SINGLETON_ENDPOINT_UNAVAILABLE`: the endpoint cannot be bound, or it is in use and no host answers there.
 * - `ERR_SINGLETON_FOREIGN_HOST`: another program has the endpoint, and it answered.
 * - `ERR_SINGLETON_HOST_UNRESPONSIVE`: the host did not accept the launch in time, or did not end it within `wait`.
 * - `ERR_SINGLETON_VERIFICATION_FAILED`: one side did not prove the secret, or encrypted bytes were changed on the way.
 * - `ERR_SINGLETON_WRONG_APPLICATION`: the other side has another `name`.
 * - `ERR_SINGLETON_UNSUPPORTED_VERSION`: the other side has another codec, or another version of the protocol.
 * - `ERR_SINGLETON_INVALID_ARGS`: the schema does not allow the arguments.
 * - `ERR_SINGLETON_MESSAGE_TOO_LARGE`: a message is longer than `maxMessageBytes`, or has too many arguments.
 * - `ERR_SINGLETON_MALFORMED_MESSAGE`: received bytes could not be decoded, or are of another protocol.
 * - `ERR_SINGLETON_TRUNCATED_MESSAGE`: a connection ended in the middle of a message, or before it.
 * - `ERR_SINGLETON_UNENCODABLE`: the codec cannot encode a value. Nothing was sent.
 * - `ERR_SINGLETON_LISTENER_FAILED`: a listener of the host threw, rejected, or gave a result that cannot be sent.
 * - `ERR_SINGLETON_CONNECTION_FAILED`: a connection failed or closed too early, or was not complete in time.
 * - `ERR_SINGLETON_BUSY`: a limit of the host was reached, such as `maxPending` or `maxConnections`.
 * - `ERR_SINGLETON_REPLACE_REFUSED`: the launch asked to replace the host, which does not allow it (`allowReplace`).
 * - `ERR_SINGLETON_RELEASED`: the endpoint was released, or the launch was aborted by `release()` or `signal`.
 */
export type SingletonErrorCode =
  | 'ERR_SINGLETON_INVALID_OPTION'
  | 'ERR_SINGLETON_ALREADY_RUNNING'
  | 'ERR_SINGLETON_NO_HOST'
  | 'ERR_SINGLETON_START_FAILED'
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
  | 'ERR_SINGLETON_LISTENER_FAILED'
  | 'ERR_SINGLETON_CONNECTION_FAILED'
  | 'ERR_SINGLETON_BUSY'
  | 'ERR_SINGLETON_REPLACE_REFUSED'
  | 'ERR_SINGLETON_RELEASED';

/** The class of all errors that this library throws, rejects with or emits as a `warning`. Branch on `code`. */
export class SingletonError extends Error {
  static {
    // Not by an assignment, which throws if a program has frozen Error.prototype.
    Object.defineProperty(this.prototype, 'name', { value: 'SingletonError', configurable: true, writable: true });
  }

  /** Why it failed. See `SingletonErrorCode`. */
  readonly code: SingletonErrorCode;

  constructor(code: SingletonErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Another process is the host. With `strict: false`, `acquire` rejects with this error once the launch is delivered. */
export class MultipleSingletonsError extends SingletonError {
  static {
    Object.defineProperty(this.prototype, 'name', {
      value: 'MultipleSingletonsError',
      configurable: true,
      writable: true,
    });
  }

  /** Always `ERR_SINGLETON_ALREADY_RUNNING`. */
  declare readonly code: 'ERR_SINGLETON_ALREADY_RUNNING';
  /** What became of this launch. */
  readonly receipt: Receipt;

  constructor(endpoint: string, receipt: Receipt) {
    super(
      'ERR_SINGLETON_ALREADY_RUNNING',
      `Another process is the host at ${endpoint}. The outcome of this launch is "${receipt.outcome}".`,
    );
    this.receipt = receipt;
  }
}

/** The output of a launch that waits could not be written. Not exported: its code says enough to a program. */
export class OutputError extends SingletonError {
  constructor(cause: Error) {
    super(
      'ERR_SINGLETON_CONNECTION_FAILED',
      "Could not write the host's output to stdout or stderr, so this launch disconnected. The host may still run it.",
      { cause },
    );
  }

  /** Whether the reader of the output has gone, as after `| head`. */
  get isClosedPipe(): boolean {
    return codeOf(this.cause) === 'EPIPE';
  }
}

/** The endpoint is in use, and may be free later. Not exported: its message says enough to a program. */
export class InUseError extends SingletonError {
  constructor(message: string, cause: Error | undefined) {
    super('ERR_SINGLETON_ENDPOINT_UNAVAILABLE', message, cause && { cause });
  }

  /** Distinguishes it from an endpoint that the system does not allow, which has the same code. */
  get isInUse(): true {
    return true;
  }
}

/** `ERR_SINGLETON_INVALID_OPTION`. The message names the option, what is allowed, and the value and its type. */
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

/** `ERR_SINGLETON_MESSAGE_TOO_LARGE`. Without `length`, it is not known: the rest of the message was not read. */
export function messageTooLargeError(maxMessageBytes: number, length?: number): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_MESSAGE_TOO_LARGE',
    `Expected a message of at most ${maxMessageBytes} bytes (maxMessageBytes), got ${length ?? 'more'}. ` +
      'Send a path to the data, or raise the limit on both sides.',
  );
}

/** `ERR_SINGLETON_MALFORMED_MESSAGE`: the bytes of a peer are not what was expected. */
export function malformedError(expected: string): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_MALFORMED_MESSAGE',
    `Expected ${expected}. The peer may run another version.`,
  );
}

/** The same error, whose message now names the endpoint that it is about. */
export function atEndpoint<Failure>(error: Failure, endpoint: string): Failure {
  if (!(error instanceof SingletonError) || error.message.includes(endpoint)) return error;
  const message = `${error.message} Endpoint: ${endpoint}.`;
  const stack = error.stack?.replace(error.message, () => message);
  return Object.assign(error, { message, stack });
}

/** For `.catch()` of an `import()` of this package's own files. */
export function moduleNotLoadedError(cause: unknown): never {
  throw new SingletonError(
    'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
    'Could not load a file of this package. If the package was updated or removed while the program was running, restart ' +
      'the program.',
    { cause },
  );
}

export function clientGoneError(): SingletonError {
  const message = 'Launch dropped: the client disconnected before it was dispatched.';
  return new SingletonError('ERR_SINGLETON_CONNECTION_FAILED', message);
}

export function cutOffByReleaseError(): SingletonError {
  const message =
    'A launch was cut off: the endpoint was released before the launch was complete. Its client tries again.';
  return new SingletonError('ERR_SINGLETON_RELEASED', message);
}

/** The code of a system error, also of one from another realm. */
export function codeOf(error: unknown): unknown {
  return Object(error).code;
}

/** The message of an error, also of one from another realm. */
export function messageOf(error: unknown): string {
  return String(Object(error).message ?? error);
}
