import { readUint16, readUint32, tryDecode } from '../interface/bytes.ts';
import { malformedError, SingletonError } from '../interface/errors.ts';
import type { Launch } from '../interface/protocol.ts';
import {
  decodeFields,
  encodeFields,
  knownFields,
  type Field,
  FIELD,
  textField,
  textsOf,
  tokenOf,
  versionOf,
} from './fields.ts';
import { type Frame, KIND } from './messages.ts';
import { decodeTerminals, encodeTerminals } from './terminal.ts';

/** A launch whose arguments are still serialized. */
export type PackedLaunch = Launch<Uint8Array>;

const WAITS = 1;
const LAUNCH_HEAD = 7;
const LENGTH_BYTES = 4;

/**
 *     flags u8 (bit 0: waits) | pid u32 | n u16 | cwd, n bytes of UTF-8 | f u32 | fields, f bytes | arguments, in the codec
 *     pid 0 or n 0: unknown
 *
 * @throws SingletonError `ERR_SINGLETON_UNENCODABLE` if the version or a variable is too long
 */
export function encodeLaunch(launch: PackedLaunch): Frame {
  const { args, cwd = '', pid = 0, wait = false } = launch;
  const length = Buffer.byteLength(cwd);
  // Longer than any path can be: sent as unknown.
  const cwdLength = length > 0xffff ? 0 : length;
  const fields = encodeFields(fieldsOf(launch));
  const fieldsAt = LAUNCH_HEAD + cwdLength + LENGTH_BYTES;
  const body = Buffer.allocUnsafe(fieldsAt + fields.length + args.length);
  body[0] = wait ? WAITS : 0;
  body.writeUInt32BE(pid, 1);
  body.writeUInt16BE(cwdLength, 5);
  body.write(cwd, LAUNCH_HEAD, cwdLength);
  body.writeUInt32BE(fields.length, fieldsAt - LENGTH_BYTES);
  body.set(fields, fieldsAt);
  body.set(args, fieldsAt + fields.length);
  return { kind: KIND.launch, body };
}

function fieldsOf({ version, token, env, terminals }: PackedLaunch): readonly Field[] {
  const fields = knownFields({ version, token });
  if (terminals) for (const value of encodeTerminals(terminals)) fields.push({ key: FIELD.terminal, value });
  for (const name in env) fields.push(textField(FIELD.env, `${name}=${env[name]}`));
  return fields;
}

/** What a client asks a host for: a launch, or its status, or to release the endpoint. @throws SingletonError as `decodeLaunch` */
export function decodeRequest(frame: Frame): PackedLaunch | 'status' | 'replace' {
  const isStatus = frame.kind === KIND.statusRequest;
  if (!isStatus && frame.kind !== KIND.replace) return decodeLaunch(frame);
  // They have no field yet, but a list that is malformed is refused, so that a later version can have some.
  decodeFields(frame.body);
  return isStatus ? 'status' : 'replace';
}

/** @throws SingletonError `ERR_SINGLETON_MALFORMED_MESSAGE` */
export function decodeLaunch({ kind, body }: Frame): PackedLaunch {
  if (kind !== KIND.launch) throw malformedError(`a launch (kind ${KIND.launch}), got a frame of kind ${kind}`);
  const end = LAUNCH_HEAD + readUint16(body, 5);
  const fieldsStart = end + LENGTH_BYTES;
  if (body.length < fieldsStart) throw malformedError('a launch that is longer than its working directory');
  const argsStart = fieldsStart + readUint32(body, end);
  if (body.length < argsStart) throw malformedError('a launch that is longer than its fields');
  const flags = body[0] ?? 0;
  if ((flags & ~WAITS) !== 0) throw malformedError('a launch without unknown flags, but one is set');
  const wait = flags === WAITS;
  const values =
    argsStart === fieldsStart ? NO_FIELDS : readFields(decodeFields(body.subarray(fieldsStart, argsStart)), wait);
  return {
    args: body.subarray(argsStart),
    cwd: end > LAUNCH_HEAD ? decodePath(body.subarray(LAUNCH_HEAD, end)) : undefined,
    pid: readUint32(body, 1) || undefined,
    wait,
    ...values,
  };
}

type FieldValues = Pick<PackedLaunch, 'version' | 'token' | 'env' | 'terminals'>;

const NO_FIELDS: FieldValues = {
  version: undefined,
  token: undefined,
  env: Object.freeze(Object.create(null)),
  terminals: {},
};

function readFields(fields: readonly Field[], wait: boolean): FieldValues {
  return {
    version: versionOf(fields),
    token: tokenOf(fields),
    env: decodeEnv(textsOf(fields, FIELD.env)),
    // Without a session nothing is written to them.
    terminals: wait ? decodeTerminals(valuesOf(fields, FIELD.terminal)) : {},
  };
}

function decodePath(bytes: Uint8Array): string {
  const path = tryDecode(bytes);
  if (path === undefined) throw malformedError('a working directory in UTF-8');
  return path;
}

function valuesOf(fields: readonly Field[], key: number): readonly Uint8Array[] {
  return fields.filter((field) => field.key === key).map(({ value }) => value);
}

/** An object without a prototype, so that a variable may have any name. */
function decodeEnv(variables: readonly string[]): Readonly<Record<string, string>> {
  const env: Record<string, string> = Object.create(null);
  for (const variable of variables) {
    const at = variable.indexOf('=');
    if (at < 1 || variable.includes('\0'))
      throw malformedError('an environment variable with a name and "=", without NUL');
    env[variable.slice(0, at)] = variable.slice(at + 1);
  }
  return env;
}

export function truncatedLaunchError(): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_TRUNCATED_MESSAGE',
    'Expected a launch, but the connection ended before it was complete. The client may have exited.',
  );
}
