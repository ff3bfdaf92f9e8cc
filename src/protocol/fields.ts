import { tryDecode } from '../interface/bytes.ts';
import { malformedError, SingletonError } from '../interface/errors.ts';

/** The keys of fields. A reader skips those that it does not know. */
export const FIELD = {
  /** Refusal: a text for a log. */
  message: 1,
  /** Launch, receipt and status: the version of the program. */
  version: 2,
  /** Launch: one terminal of the client. */
  terminal: 3,
  /** Launch: one environment variable, `NAME=value`. */
  env: 4,
  /** Status: the name of one codec that the host accepts. */
  codec: 5,
  /** Launch, receipt and status: the fencing token of the host. */
  token: 6,
  /** Receipt and status: where the host can be reached. */
  address: 7,
} as const;

export interface Field {
  readonly key: number;
  readonly value: Uint8Array;
}

/** More than any environment needs. Each one takes more memory than its bytes. */
const MAX_FIELDS = 4096;
const FIELD_HEAD = 3;
const MAX_VALUE_BYTES = 0xffff;
const EMPTY = new Uint8Array(0);

/**
 * What a message may have besides its fixed part.
 *
 *     key u8 | length u16 | value        any number of them
 *
 * @throws SingletonError `ERR_SINGLETON_UNENCODABLE` if a value is longer than a field can be
 */
export function encodeFields(fields: readonly Field[]): Uint8Array {
  if (fields.length === 0) return EMPTY;
  return Buffer.concat(
    fields.flatMap(({ key, value }) => {
      if (value.length > MAX_VALUE_BYTES) throw tooLongError(value.length);
      return [Uint8Array.of(key, value.length >> 8, value.length & 0xff), value];
    }),
  );
}

/** @throws SingletonError `ERR_SINGLETON_MALFORMED_MESSAGE` if the bytes end in the middle of a field */
export function decodeFields(bytes: Uint8Array): readonly Field[] {
  const fields: Field[] = [];
  for (let at = 0; at < bytes.length;) {
    const key = bytes[at] ?? 0;
    const start = at + FIELD_HEAD;
    at = start + (bytes[at + 1] ?? 0) * 256 + (bytes[at + 2] ?? 0);
    if (at > bytes.length) throw malformedError('a list of whole fields, but the last one is incomplete');
    fields.push({ key, value: bytes.subarray(start, at) });
    if (fields.length > MAX_FIELDS) throw malformedError(`at most ${MAX_FIELDS} fields`);
  }
  return fields;
}

export function textField(key: number, text: string): Field {
  return { key, value: Buffer.from(text) };
}

/** The texts of the fields with this key, in order. @throws SingletonError `ERR_SINGLETON_MALFORMED_MESSAGE` */
export function textsOf(fields: readonly Field[], key: number): readonly string[] {
  return fields
    .filter((field) => field.key === key)
    .map(({ value }) => {
      const text = tryDecode(value);
      if (text === undefined) throw malformedError(`UTF-8 in a field with key ${key}`);
      return text;
    });
}

/** The longest version of a program, in bytes. */
const MAX_VERSION_BYTES = 255;

export function versionOf(fields: readonly Field[]): string | undefined {
  const versions = fields.filter(({ key }) => key === FIELD.version);
  if (versions.some(({ value: { length } }) => length === 0 || length > MAX_VERSION_BYTES))
    throw malformedError(`a version of 1 to ${MAX_VERSION_BYTES} bytes`);
  return textsOf(versions, FIELD.version).at(-1);
}

/** What a receipt and a status have of the host besides their fixed part. */
export interface HostFields {
  readonly version?: string | undefined;
  readonly token?: number | undefined;
  readonly address?: string | undefined;
}

/** The fields of those members that are known. */
export function knownFields({ version, token, address }: HostFields): Field[] {
  const fields: Field[] = [];
  if (version !== undefined) fields.push(textField(FIELD.version, version));
  if (token !== undefined) fields.push(tokenField(token));
  if (address !== undefined) fields.push(textField(FIELD.address, address));
  return fields;
}

const NO_HOST_FIELDS: HostFields = { version: undefined, token: undefined, address: undefined };

/** @throws SingletonError `ERR_SINGLETON_MALFORMED_MESSAGE` */
export function hostFieldsOf(fields: readonly Field[]): HostFields {
  if (fields.length === 0) return NO_HOST_FIELDS;
  return { version: versionOf(fields), token: tokenOf(fields), address: textsOf(fields, FIELD.address).at(-1) };
}

const TOKEN_BYTES = 8;

/** As a `u64`, of which 53 bits are used. */
function tokenField(token: number): Field {
  const value = Buffer.alloc(TOKEN_BYTES);
  value.writeBigUInt64BE(BigInt(token));
  return { key: FIELD.token, value };
}

/** @throws SingletonError `ERR_SINGLETON_MALFORMED_MESSAGE` */
export function tokenOf(fields: readonly Field[]): number | undefined {
  const value = fields.findLast(({ key }) => key === FIELD.token)?.value;
  if (value === undefined) return undefined;
  const token = value.length === TOKEN_BYTES ? Number(Buffer.from(value).readBigUInt64BE()) : NaN;
  if (!Number.isSafeInteger(token)) throw malformedError('a fencing token of 8 bytes and at most 53 bits');
  return token;
}

function tooLongError(length: number): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_UNENCODABLE',
    `Expected a value of at most ${MAX_VALUE_BYTES} bytes for "version" or a variable of "forwardEnv", got ${length}.`,
  );
}
