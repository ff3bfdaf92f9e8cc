import type { Deliver, DeliveryResult, OutboundOptions, StatusData } from '../interface/protocol.ts';
import type { Stdio } from '../interface/session.ts';
import {
  atEndpoint,
  invalidOptionError,
  MultipleSingletonsError,
  OutputError,
  SingletonError,
} from '../interface/errors.ts';
import { hostInfoOf, type HostStatus, type Receipt } from '../interface/receipt.ts';
import { type Connection, KEEP_ALIVE_DELAY, resetConnection, type Transport } from '../interface/transport.ts';
import { Deadline, type LazyAbortController } from './deadline.ts';
import { publish } from './diagnostics.ts';
import { terminalsOf, watch } from './forwarding.ts';
import type { ResolvedOptions } from './options/resolved-options.ts';

/**
 * Encodes the launch, once for all attempts. With `replace: true`, `mayReplace` decides for each host that is found; without it,
 * none is replaced.
 * @throws SingletonError if it is refused; nothing was sent
 */
export function prepare<T, R>(
  options: ResolvedOptions<T, R>,
  mayReplace: ((status: StatusData) => boolean) | undefined,
): Deliver<R> {
  const { codec, args, name, version, secret, wait, maxMessageBytes } = options;
  const launch = {
    args,
    cwd: workingDirectory(),
    pid: process.pid,
    wait: wait > 0,
    version,
    env: forwardedEnv(options),
    terminals: wait > 0 ? terminalsOf(options) : undefined,
  };
  const replace = mayReplace && replacer(options, mayReplace);
  return codec.protocol.outbound(launch, { name, secret, maxMessageBytes, replace });
}

const NO_VARIABLES = Object.freeze({});

/** Those of the named variables that are set, and that Node could decode: it replaces what is not UTF-8. */
function forwardedEnv<T, R>({ forwardEnv }: ResolvedOptions<T, R>): Readonly<Record<string, string>> {
  if (forwardEnv.length === 0) return NO_VARIABLES;
  const variables = forwardEnv.flatMap((name) => {
    // `process.env` inherits from `Object.prototype`.
    const value: unknown = process.env[name];
    return typeof value === 'string' && !value.includes('\u{fffd}') ? [[name, value] as const] : [];
  });
  return Object.fromEntries(variables);
}

function replacer<T, R>(
  { replace, transport }: ResolvedOptions<T, R>,
  mayReplace: (status: StatusData) => boolean,
): OutboundOptions['replace'] {
  if (typeof replace === 'boolean') return replace ? mayReplace : undefined;
  return (data) => {
    const decision: unknown = decide(replace, statusOf(transport.endpoint, data));
    if (typeof decision === 'boolean') return decision;
    // If it is a promise that rejects, that is not reported besides.
    Promise.resolve(decision).catch(() => {});
    throw invalidOptionError('replace', 'a function that returns a boolean', decision);
  };
}

function decide(replace: (status: HostStatus) => boolean, status: HostStatus): boolean {
  try {
    return replace(status);
  } catch (cause) {
    const message = 'Option "replace": the function threw. Nothing was sent; the cause says why.';
    throw new SingletonError('ERR_SINGLETON_INVALID_OPTION', message, { cause });
  }
}

/** The status that a host reports, for the program. Members that it does not report are missing. */
export function statusOf(endpoint: string, data: Partial<StatusData>): HostStatus {
  const { since, version, token, address, ...rest } = data;
  return {
    endpoint,
    ...rest,
    ...(since !== undefined && { since: new Date(since) }),
    ...hostInfoOf({ version, token, address }),
  };
}

/** `undefined` if it was deleted, or if its name is not UTF-8: Node replaces what is not. */
function workingDirectory(): string | undefined {
  try {
    const path = process.cwd();
    return path.isWellFormed() && !path.includes('\u{fffd}') ? path : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Connects, and talks to the host: delivers a launch up to its receipt, or asks for the status. If another attempt is safe,
 * resolves to why this one failed: `no-host`, or a `reset` before the host took the launch. Rejects with the deadline's reason
 * when that aborts.
 */
export async function attempt<Answer>(
  transport: Transport,
  talk: (connection: Connection) => Promise<Answer | undefined>,
  deadline: Deadline,
  onConnected: () => void = ignore,
): Promise<Answer | 'no-host' | 'reset'> {
  deadline.throwIfAborted();
  const connection = await transport.connect(deadline.attemptOptions({}));
  if (!connection) return 'no-host';
  if (connection.destroyed) return 'reset';
  onConnected();
  connection.on('error', ignore);
  const removeListener = deadline.onAbort(() => resetConnection(connection));
  let hasSession = false;
  try {
    deadline.throwIfAborted();
    const answer = await talk(connection);
    hasSession = Object(answer).runSession !== undefined;
    // The host may work for long. If its machine loses its power or its network, not even an end arrives.
    if (hasSession) connection.setKeepAlive?.(true, KEEP_ALIVE_DELAY);
    if (answer !== undefined) return answer;
    deadline.throwIfAborted();
    return 'reset';
  } catch (error) {
    deadline.throwIfAborted();
    throw atEndpoint(error, transport.endpoint);
  } finally {
    removeListener();
    if (!hasSession && !connection.destroyed) resetConnection(connection);
  }
}

function ignore(): void {}

/** The exit status of a program that SIGPIPE has ended: 128 and the number of the signal. */
export const SIGPIPE_STATUS = 141;

/**
 * Another process is the host and has the launch: ends this process with the result or `exitCode`, or rejects if that is not
 * `strict`.
 * @throws MultipleSingletonsError
 */
export async function exitAfterDelivery<T, R>(
  delivery: DeliveryResult<R>,
  options: ResolvedOptions<T, R>,
  lifetime: LazyAbortController,
): Promise<never> {
  const { strict, exitCode, transport } = options;
  try {
    const receipt = await readResult(delivery, options, lifetime);
    lifetime.throwIfAborted();
    if (strict) {
      publish('socket-singleton:acquire', () => ({ endpoint: transport.endpoint, outcome: receipt.outcome }));
      process.exit(receipt.exitCode ?? exitCode);
    }
    throw new MultipleSingletonsError(transport.endpoint, receipt);
  } catch (error) {
    // The reader of the output has exited. End like any Unix program does then: Node itself ignores SIGPIPE.
    if (strict && error instanceof OutputError && error.isClosedPipe) {
      publish('socket-singleton:acquire', () => ({ endpoint: transport.endpoint, error }));
      process.exit(SIGPIPE_STATUS);
    }
    throw error;
  }
}

/** The receipt, with the result of the session if the launch waits. Rejects when `wait` has expired. */
export async function readResult<T, R>(
  { receipt, runSession }: DeliveryResult<R>,
  options: ResolvedOptions<T, R>,
  lifetime: LazyAbortController,
): Promise<Receipt<R>> {
  if (!runSession) return receipt;
  const deadline = new Deadline(options.wait, () => noResultError(options), lifetime);
  try {
    return await runSession(stdioOf(options), deadline.signal, (report) => watch(options, report));
  } catch (error) {
    throw atEndpoint(error, options.transport.endpoint);
  } finally {
    deadline.clear();
  }
}

/** The process's own streams are not touched before they are used. */
export function stdioOf<T, R>({ stdio: { stdout, stderr, stdin } }: Pick<ResolvedOptions<T, R>, 'stdio'>): Stdio {
  return {
    get stdout() {
      return stdout ?? process.stdout;
    },
    get stderr() {
      return stderr ?? process.stderr;
    },
    get stdin() {
      return stdin ?? process.stdin;
    },
  };
}

export function noHostError<T, R>({ transport }: ResolvedOptions<T, R>): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_NO_HOST',
    `No host is listening at ${transport.endpoint}. Start the program first.`,
  );
}

export function schemaTimeoutError<T, R>({ transport, deliveryTimeout }: ResolvedOptions<T, R>): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_INVALID_ARGS',
    `The schema did not settle within ${deliveryTimeout} ms (deliveryTimeout); nothing was sent to ${transport.endpoint}.`,
  );
}

export function unresponsiveError<T, R>({ transport, deliveryTimeout }: ResolvedOptions<T, R>): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_HOST_UNRESPONSIVE',
    `The host at ${transport.endpoint} did not confirm the launch within ${deliveryTimeout} ms (deliveryTimeout). ` +
      'It may be frozen or busy (maxConnections), use another codec, or be another program.',
  );
}

function noResultError<T, R>({ transport, wait }: ResolvedOptions<T, R>): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_HOST_UNRESPONSIVE',
    `The host at ${transport.endpoint} accepted the launch but sent no result within ${wait} ms (wait). ` +
      'It may still be running; increase "wait".',
  );
}
