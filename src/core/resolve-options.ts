import { legacy } from '../codecs/legacy.ts';
import type { Codec } from '../interface/codec.ts';
import { invalidOptionError, SingletonError } from '../interface/errors.ts';
import type { Transport } from '../interface/transport.ts';
import { tcp } from '../transports/tcp.ts';
import type { AnyOptions, DeliveryOptions, ResolvedOptions } from './options.ts';

/** @throws SingletonError `ERR_SINGLETON_INVALID_OPTION` */
export function resolveOptions<T, R = unknown>(given: AnyOptions<T, R> = {}): ResolvedOptions<T, R> {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw invalidOptionError('options', 'an object', given);
  const { codec = defaults.codec(), args = defaults.args(), schema, name = '' } = given;
  checkMethods('codec', codec?.protocol, ['inbound', 'outbound'], 'a codec, such as legacy()', codec);
  if (schema !== undefined)
    checkMethods('schema', Object(schema)['~standard'], ['validate'], 'a Standard Schema', schema);
  if (typeof name !== 'string') throw invalidOptionError('name', 'a string', name);
  const secret = resolveSecret(given.secret);
  const client = bool('client', given.client, true);
  const wait = resolveWait(given.wait, client);
  const optionWarning = codec.check?.({ args, secret, name, wait: wait > 0 });
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
    maxMessageBytes: integer('maxMessageBytes', given.maxMessageBytes, 1_048_576, 1, MAX_MESSAGE),
    maxConnections: integer('maxConnections', given.maxConnections, 512, 1),
    maxPending: integer('maxPending', given.maxPending, 1024, 1),
    signal: resolveSignal(given.signal),
  };
}

/** `any`, because `ArgsOption` asks for both where `T` is not what these give. */
const defaults: { readonly codec: () => Codec<any, any>; readonly args: () => any } = {
  codec: legacy,
  args: () => process.argv.slice(2),
};

/** A longer timer fires at once. */
const MAX_TIMER = 2_147_483_647;
/** What a `u32` length can say, and a buffer can hold. */
const MAX_MESSAGE = 2 ** 32 - 1;

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
  if (secret instanceof Uint8Array && secret.length > 0) return Uint8Array.from(secret);
  // Its value stays out of the message.
  throw new SingletonError(
    'ERR_SINGLETON_INVALID_OPTION',
    'Option "secret": expected a non-empty string of well-formed Unicode or a non-empty Uint8Array; ' +
      `got ${typeof secret === 'string' && secret !== '' ? 'a string that is not' : describeEmpty(secret)}.`,
  );
}

function describeEmpty(secret: unknown): string {
  if (secret === '') return 'an empty string';
  return secret instanceof Uint8Array ? 'an empty Uint8Array' : `a value of type ${typeof secret}`;
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
  if (signal === undefined || signal instanceof AbortSignal) return signal;
  throw invalidOptionError('signal', 'an AbortSignal', signal);
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
