import { legacy } from '../codecs/legacy.ts';
import { isUint8Array, tryBytes } from '../interface/bytes.ts';
import type { Codec } from '../interface/codec.ts';
import { invalidOptionError, SingletonError } from '../interface/errors.ts';
import { checkOptionNames, type OptionNames } from '../interface/option-names.ts';
import type { Transport } from '../interface/transport.ts';
import { tcp } from '../transports/tcp.ts';
import type { AnyOptions, DeliveryOptions, ResolvedOptions } from './options.ts';

/** @throws SingletonError `ERR_SINGLETON_INVALID_OPTION` */
export function resolveOptions<T, R = unknown>(given: AnyOptions<T, R> = {}): ResolvedOptions<T, R> {
  checkOptionNames(given, OPTION_NAMES);
  const { codec = defaults.codec(), args: givenArgs = defaults.args(), schema, name = '' } = given;
  checkMethods('codec', codec?.protocol, ['inbound', 'outbound'], 'a codec, such as legacy()', codec);
  if (schema !== undefined)
    checkMethods('schema', Object(schema)['~standard'], ['validate'], 'a Standard Schema', schema);
  if (typeof name !== 'string') throw invalidOptionError('name', 'a string', name);
  const secret = resolveSecret(given.secret);
  const client = bool('client', given.client, true);
  const wait = resolveWait(given.wait, client);
  const args = copyStrings(givenArgs);
  const maxMessageBytes = integer('maxMessageBytes', given.maxMessageBytes, 1_048_576, 1, MAX_MESSAGE);
  const optionWarning = codec.check?.({ args, secret, name, wait: wait > 0, maxMessageBytes });
  return {
    transport: resolveTransport(given),
    codec,
    schema,
    args,
    name,
    optionWarning,
    client,
    strict: bool('strict', given.strict, true),
    timeout: integer('timeout', given.timeout, 0, 0, MAX_TIMER),
    releaseThreshold: integer('releaseThreshold', given.releaseThreshold, 0, 0),
    maxClients: integer('maxClients', given.maxClients, 0, 0),
    verbose: bool('verbose', given.verbose, false),
    secret,
    wait,
    stdio: resolveStreams(given),
    deliveryTimeout: integer('deliveryTimeout', given.deliveryTimeout, 10_000, 1, MAX_TIMER),
    receiveTimeout: integer('receiveTimeout', given.receiveTimeout, 5000, 1, MAX_TIMER),
    maxMessageBytes,
    maxConnections: integer('maxConnections', given.maxConnections, 512, 1),
    maxPending: integer('maxPending', given.maxPending, 1024, 1),
    signal: resolveSignal(given.signal),
  };
}

/** `any`, because `ArgsOption` asks for both where `T` is not what these give. */
const defaults: { readonly codec: () => Codec<any, any>; readonly args: () => any } = {
  codec: legacy,
  args: () => process.argv.slice(hasFile() ? 2 : 1),
};

const OPTION_NAMES: OptionNames<AnyOptions<unknown, unknown>> = {
  address: true,
  port: true,
  transport: true,
  codec: true,
  args: true,
  schema: true,
  name: true,
  client: true,
  strict: true,
  wait: true,
  stdin: true,
  stdout: true,
  stderr: true,
  timeout: true,
  releaseThreshold: true,
  maxClients: true,
  verbose: true,
  secret: true,
  deliveryTimeout: true,
  receiveTimeout: true,
  maxMessageBytes: true,
  maxConnections: true,
  maxPending: true,
  signal: true,
};

/** A longer timer fires at once. */
const MAX_TIMER = 2_147_483_647;
/** What a `u32` length can say, and a buffer can hold. */
const MAX_MESSAGE = 2 ** 32 - 1;

/** Whether the command line names a file before its arguments. Code of `node -e` has none, nor has a packaged program. */
function hasFile(): boolean {
  return !isEvaluated() && !isPackagedElectron();
}

function isEvaluated(): boolean {
  const hasCode = process.execArgv.some((option) => /^(-e|-pe?|--eval|--print)(=|$)/.test(option));
  // A worker has the `execArgv` of its process, but a file of its own.
  return hasCode && process.getBuiltinModule('node:worker_threads').isMainThread;
}

/** `defaultApp`: the program runs as `electron .`, from its folder. */
function isPackagedElectron(): boolean {
  const isElectron = process.versions['electron'] !== undefined && !process.env['ELECTRON_RUN_AS_NODE'];
  return isElectron && Reflect.get(process, 'defaultApp') !== true;
}

/** A copy of a list of strings, which later changes do not reach. Other values are the codec's to check. */
function copyStrings<T>(args: T): T;
function copyStrings(args: unknown): unknown {
  const isPlainList = Array.isArray(args) && Object.keys(args).length === args.length;
  return isPlainList && args.every((arg) => typeof arg === 'string') ? [...args] : args;
}

function resolveTransport({
  transport,
  address,
  port,
}: Pick<DeliveryOptions<unknown>, 'transport' | 'address' | 'port'>): Transport {
  if (transport === undefined) return tcp({ address, port });
  checkMethods('transport', transport, ['listen', 'connect'], 'a transport, such as tcp()', transport);
  if (address !== undefined)
    throw invalidOptionError('address', 'nothing beside transport, which has the address', address);
  if (port !== undefined) throw invalidOptionError('port', 'nothing beside transport, which has the port', port);
  return transport;
}

function resolveSecret(secret: unknown): Uint8Array | undefined {
  if (secret === undefined) return undefined;
  if (typeof secret === 'string' && secret !== '' && secret.isWellFormed()) return new TextEncoder().encode(secret);
  const bytes = tryBytes(secret);
  if (bytes && bytes.length > 0) return bytes.slice();
  // Its value stays out of the message.
  throw new SingletonError(
    'ERR_SINGLETON_INVALID_OPTION',
    'Option "secret": expected a non-empty string of well-formed Unicode or a non-empty Uint8Array; ' +
      `got ${typeof secret === 'string' && secret !== '' ? 'a string that is not' : describeEmpty(secret)}.`,
  );
}

function describeEmpty(secret: unknown): string {
  if (secret === '') return 'an empty string';
  return isUint8Array(secret) ? 'an empty Uint8Array' : `a value of type ${typeof secret}`;
}

function resolveWait(wait: unknown, client: boolean): number {
  if (wait === undefined || wait === false) return 0;
  if (!client) throw invalidOptionError('wait', 'false beside client: false, which connects to no host', wait);
  if (wait === true) return Infinity;
  if (typeof wait === 'number' && Number.isSafeInteger(wait) && wait >= 1 && wait <= MAX_TIMER) return wait;
  throw invalidOptionError('wait', `a boolean or an integer from 1 to ${MAX_TIMER}`, wait);
}

function resolveStreams<T, R>({ stdout, stderr, stdin }: DeliveryOptions<T, R>): ResolvedOptions<T, R>['stdio'] {
  const methods = ['write', 'on', 'once', 'off'];
  if (stdout !== undefined) checkMethods('stdout', stdout, methods, 'a Writable', stdout);
  if (stderr !== undefined) checkMethods('stderr', stderr, methods, 'a Writable', stderr);
  if (stdin !== undefined) checkMethods('stdin', stdin, ['on', 'off', 'pause', 'resume'], 'a Readable', stdin);
  return { stdout, stderr, stdin };
}

function resolveSignal(signal: unknown): AbortSignal | undefined {
  if (signal === undefined || isAbortSignal(signal)) return signal;
  throw invalidOptionError('signal', 'an AbortSignal', signal);
}

/** Not by `instanceof`: test runners give each file a realm, with classes of its own. */
function isAbortSignal(value: unknown): value is AbortSignal {
  const { aborted, addEventListener, removeEventListener } = Object(value);
  return (
    typeof aborted === 'boolean' && typeof addEventListener === 'function' && typeof removeEventListener === 'function'
  );
}

function checkMethods(name: string, on: unknown, methods: readonly string[], expected: string, given: unknown): void {
  const has = (method: string): boolean => typeof Object(on)[method] === 'function';
  if (!methods.every(has)) throw invalidOptionError(name, expected, given);
}

function bool(name: string, value: unknown, defaultValue: boolean): boolean {
  if (value === undefined) return defaultValue;
  if (typeof value === 'boolean') return value;
  throw invalidOptionError(name, 'a boolean', value);
}

function integer(
  name: string,
  value: unknown,
  defaultValue: number,
  min: number,
  max = Number.MAX_SAFE_INTEGER,
): number {
  if (value === undefined) return defaultValue;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max) return value;
  throw invalidOptionError(name, `an integer from ${min} to ${max}`, value);
}
