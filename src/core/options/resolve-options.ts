import { legacy } from '../../codecs/legacy.ts';
import type { Codec, CodecOptions } from '../../interface/codec.ts';
import { invalidOptionError, SingletonError } from '../../interface/errors.ts';
import { checkOptionNames, type OptionNames } from '../../interface/option-names.ts';
import type { Transport } from '../../interface/transport.ts';
import { tcp } from '../../transports/tcp.ts';
import { resolveSignal } from './abort-signal.ts';
import { copyStrings, defaultArgs } from './args.ts';
import { bool, checkMethods, duration, integer, MAX_TIMER } from './checks.ts';
import { resolveForwardSignals } from './forward-signals.ts';
import type { DeliveryOptions } from './options.ts';
import type { AnyOptions, AnySendOptions, ResolvedOptions } from './resolved-options.ts';
import { resolveSecret } from './secret.ts';
import { resolveStart } from './start.ts';

/** The options of `Singleton.send`. @throws SingletonError `ERR_SINGLETON_INVALID_OPTION` */
export function resolveSendOptions<T, R>(given: AnySendOptions<T, R> = {}): ResolvedOptions<T, R> {
  const resolved = resolve<T, R>(given, SEND_OPTION_NAMES);
  const { start, transport } = resolved;
  // A later launch cannot know a port that the system chooses.
  if (start !== undefined && transport.endpoint.endsWith(':0'))
    throw invalidOptionError('start', 'an endpoint that others find, instead of port 0', start);
  return resolved;
}

/** @throws SingletonError `ERR_SINGLETON_INVALID_OPTION` */
export function resolveOptions<T, R = unknown>(given: AnyOptions<T, R> = {}): ResolvedOptions<T, R> {
  return resolve(given, OPTION_NAMES);
}

function resolve<T, R>(given: AnySendOptions<T, R>, names: Readonly<Record<string, true>>): ResolvedOptions<T, R> {
  checkOptionNames(given, names);
  const { args: givenArgs = defaultArgs(), schema, name = '' } = given;
  const codecs = resolveCodecs(given.codec);
  const [codec] = codecs;
  if (schema !== undefined)
    checkMethods('schema', Object(schema)['~standard'], ['validate'], 'a Standard Schema', schema);
  if (typeof name !== 'string') throw invalidOptionError('name', 'a string', name);
  const transport = resolveTransport(given);
  const { reach = 'machine', takeoverTime = 0 } = transport;
  const secret = resolveSecret(given);
  const client = bool('client', given.client, true);
  const self = bool('self', given.self, false);
  const strict = bool('strict', given.strict, true);
  const wait = resolveWait(given.wait, client || self);
  const args = copyStrings(givenArgs);
  const maxMessageBytes = integer('maxMessageBytes', given.maxMessageBytes, 1_048_576, 1, MAX_MESSAGE);
  const forwardEnv = resolveNames(given.forwardEnv);
  const replace = resolveReplace(given.replace, client);
  const standby = resolveStandby(given.standby, replace !== false);
  const allowReplace = bool('allowReplace', given.allowReplace, false);
  const optionWarning = checkCodecs(codecs, {
    isFirst: true,
    args,
    reach,
    secret,
    name,
    maxMessageBytes,
    wait: wait > 0,
    replace: replace !== false,
    hasEnv: forwardEnv.length > 0,
    allowReplace: allowReplace && codecs.length === 1,
  });
  if (reach === 'network' && !secret) throw noSecretError(transport);
  return {
    transport,
    codec,
    codecs,
    schema,
    args,
    name,
    version: resolveVersion(given.version),
    forwardEnv,
    forwardSignals: resolveForwardSignals(given.forwardSignals, wait),
    replace,
    allowReplace,
    standby,
    optionWarning,
    client,
    self,
    strict,
    exitCode: resolveExitCode(given.exitCode, strict, client && wait > 0, standby > 0),
    timeout: integer('timeout', given.timeout, 0, 0, MAX_TIMER),
    idleTimeout: integer('idleTimeout', given.idleTimeout, 0, 0, MAX_TIMER),
    releaseThreshold: integer('releaseThreshold', given.releaseThreshold, 0, 0),
    maxClients: integer('maxClients', given.maxClients, 0, 0),
    verbose: bool('verbose', given.verbose, false),
    secret,
    wait,
    stdio: resolveStreams(given),
    deliveryTimeout: integer('deliveryTimeout', given.deliveryTimeout, Math.max(10_000, takeoverTime), 1, MAX_TIMER),
    receiveTimeout: integer('receiveTimeout', given.receiveTimeout, 5000, 1, MAX_TIMER),
    maxMessageBytes,
    maxConnections: integer('maxConnections', given.maxConnections, 512, 1),
    maxPending: integer('maxPending', given.maxPending, 1024, 1),
    signal: resolveSignal(given.signal),
    start: resolveStart(given.start),
  };
}

/** `any`, because `ArgsOption` asks for a codec where `T` is no list of strings. */
const defaultCodec: () => Codec<any, any> = legacy;

const OPTION_NAMES: OptionNames<AnyOptions<unknown, unknown>> = {
  address: true,
  port: true,
  transport: true,
  codec: true,
  args: true,
  schema: true,
  name: true,
  version: true,
  forwardEnv: true,
  forwardSignals: true,
  wait: true,
  stdin: true,
  stdout: true,
  stderr: true,
  secret: true,
  secretFile: true,
  deliveryTimeout: true,
  maxMessageBytes: true,
  signal: true,
  replace: true,
  allowReplace: true,
  standby: true,
  client: true,
  self: true,
  strict: true,
  exitCode: true,
  timeout: true,
  idleTimeout: true,
  releaseThreshold: true,
  maxClients: true,
  verbose: true,
  receiveTimeout: true,
  maxConnections: true,
  maxPending: true,
};

const SEND_OPTION_NAMES: OptionNames<AnySendOptions<unknown, unknown>> = { ...OPTION_NAMES, start: true };

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

function noSecretError({ endpoint }: Transport): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_INVALID_OPTION',
    `Option "secret": expected one for ${endpoint}, because other machines can reach its host. generateSecret() creates one.`,
  );
}

/** @throws SingletonError `ERR_SINGLETON_INVALID_OPTION` */
function resolveCodecs<T, R>(given: AnyOptions<T, R>['codec']): readonly [Codec<T, R>, ...Codec<T, R>[]] {
  const [first, ...others]: readonly Codec<T, R>[] = Array.isArray(given) ? given : [given ?? defaultCodec()];
  if (first === undefined) throw invalidOptionError('codec', 'a list of one codec or more', given);
  const codecs = [first, ...others] as const;
  codecs.forEach((codec, index) => {
    checkMethods('codec', codec?.protocol, ['inbound', 'outbound', 'status'], 'a codec, such as legacy()', codec);
    if (codecs.findIndex(({ name }) => name === codec.name) < index)
      throw invalidOptionError('codec', 'codecs with different names', codec.name);
  });
  return codecs;
}

/** Has each codec check the options, which are those of the first one. Returns the first warning. */
function checkCodecs<T, R>(
  [first, ...others]: readonly [Codec<T, R>, ...Codec<T, R>[]],
  options: CodecOptions,
): SingletonError | undefined {
  const warnings = [first.check?.(options), ...others.map((codec) => codec.check?.({ ...options, isFirst: false }))];
  return warnings.find((warning) => warning !== undefined);
}

const MAX_VERSION_BYTES = 255;

function resolveVersion(version: unknown): string | undefined {
  if (version === undefined) return undefined;
  const isValid = typeof version === 'string' && version !== '' && version.isWellFormed();
  if (isValid && Buffer.byteLength(version) <= MAX_VERSION_BYTES) return version;
  throw invalidOptionError('version', `a string of 1 to ${MAX_VERSION_BYTES} bytes of well-formed Unicode`, version);
}

/** Names of environment variables, as a system can have them. */
function resolveNames(names: unknown): readonly string[] {
  if (names === undefined) return [];
  const list: unknown[] = Array.isArray(names) ? Array.from(names) : [];
  if (Array.isArray(names) && list.every(isVariableName)) return list;
  const wrong = list.find((name) => !isVariableName(name));
  throw invalidOptionError('forwardEnv', 'an array of names of environment variables, without "="', wrong ?? names);
}

function isVariableName(name: unknown): name is string {
  return typeof name === 'string' && /^[^=\0]+$/.test(name);
}

function resolveReplace<T, R>(replace: AnyOptions<T, R>['replace'], client: boolean): ResolvedOptions<T, R>['replace'] {
  if (replace === undefined || replace === false) return false;
  if (!client) throw invalidOptionError('replace', 'false beside client: false, which connects to no host', replace);
  if (typeof replace === 'boolean' || typeof replace === 'function') return replace;
  throw invalidOptionError('replace', 'a boolean or a function', replace);
}

function resolveWait(given: unknown, isLaunched: boolean): number {
  const wait = duration('wait', given);
  if (wait === 0 || isLaunched) return wait;
  throw invalidOptionError('wait', 'false beside client: false, which connects to no host', given);
}

function resolveStandby(given: unknown, hasReplace: boolean): number {
  const standby = duration('standby', given);
  if (standby === 0 || !hasReplace) return standby;
  throw invalidOptionError('standby', 'false beside replace, which does not wait until the endpoint is free', given);
}

/** `waits`: the launch that exits waits for the status of the host. With `client: false` it does not. */
function resolveExitCode(exitCode: unknown, strict: boolean, waits: boolean, isStandby: boolean): number {
  if (exitCode !== undefined && isStandby)
    throw invalidOptionError('exitCode', 'nothing beside standby, which delivers nothing and does not exit', exitCode);
  if (exitCode !== undefined && waits)
    throw invalidOptionError('exitCode', 'nothing beside wait, which exits with the status of the host', exitCode);
  if (exitCode !== undefined && !strict)
    throw invalidOptionError('exitCode', 'nothing beside strict: false, which does not exit', exitCode);
  return integer('exitCode', exitCode, 0, 0, 255);
}

const WRITABLE = ['write', 'on', 'once', 'off'];

function resolveStreams<T, R>({ stdout, stderr, stdin }: AnyOptions<T, R>): ResolvedOptions<T, R>['stdio'] {
  if (stdout !== undefined) checkMethods('stdout', stdout, WRITABLE, 'a Writable', stdout);
  if (stderr !== undefined) checkMethods('stderr', stderr, WRITABLE, 'a Writable', stderr);
  if (stdin !== undefined) checkMethods('stdin', stdin, ['on', 'off', 'pause', 'resume'], 'a Readable', stdin);
  return { stdout, stderr, stdin };
}
