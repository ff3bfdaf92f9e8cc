import { isUint8Array, tryBytes } from '../../interface/bytes.ts';
import { codeOf, invalidOptionError, SingletonError } from '../../interface/errors.ts';

/**
 * A new secret for the option `secret`: 32 random bytes as base64url, 43 characters. Make one for each program, keep it
 * in an environment variable or in a file that only its owner can read, and give it to both sides.
 */
export function generateSecret(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64url');
}

/** The secret of the options `secret` and `secretFile` as bytes. @throws SingletonError `ERR_SINGLETON_INVALID_OPTION` */
export function resolveSecret({ secret, secretFile }: GivenSecret): Uint8Array | undefined {
  if (secretFile === undefined) return secret === undefined ? undefined : bytesOf(secret);
  if (secret !== undefined) throw invalidOptionError('secretFile', 'nothing beside secret', secretFile);
  if (typeof secretFile === 'string' && secretFile !== '') return readSecretFile(secretFile);
  throw invalidOptionError('secretFile', 'the path of a file', secretFile);
}

interface GivenSecret {
  readonly secret?: unknown;
  readonly secretFile?: unknown;
}

function bytesOf(secret: unknown): Uint8Array {
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

/** A secret is short: a longer file is probably another one. */
const MAX_FILE_BYTES = 4096;

/** As `ssh` reads a key: only if no other user can. The errors have nothing of the content. */
function readSecretFile(path: string): Uint8Array {
  const { closeSync, constants, openSync } = process.getBuiltinModule('node:fs');
  let descriptor: number | undefined;
  try {
    // O_NONBLOCK: to open a FIFO would wait for a writer. Windows does not have the flag, which is 0 then.
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    checkFile(descriptor, path);
    return readSecret(descriptor, path);
  } catch (error) {
    if (error instanceof SingletonError) throw error;
    throw secretFileError(path, `it could not be read (${String(codeOf(error))})`, CREATE, error);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** The descriptor and not the path: another file may be at the path a moment later. */
function checkFile(descriptor: number, path: string): void {
  const stats = process.getBuiltinModule('node:fs').fstatSync(descriptor);
  if (!stats.isFile()) throw secretFileError(path, 'it is not a regular file', CREATE);
  // Windows has neither owners as numbers nor modes.
  if (process.platform === 'win32') return;
  const user = process.geteuid?.();
  if (stats.uid !== user)
    throw secretFileError(path, `it belongs to the user ${stats.uid}, and this process runs as ${user}`, CREATE);
  if ((stats.mode & 0o077) !== 0) {
    const mode = (stats.mode & 0o777).toString(8).padStart(4, '0');
    const remedy = `Run chmod 600 ${JSON.stringify(path)}, and make a new secret if another user may have read it`;
    throw secretFileError(path, `other users have permissions (mode ${mode})`, remedy);
  }
}

/** What a file holds, less one line end. */
function readSecret(descriptor: number, path: string): Uint8Array {
  const { readSync } = process.getBuiltinModule('node:fs');
  const buffer = new Uint8Array(MAX_FILE_BYTES + 1);
  let length = 0;
  for (let count = -1; count !== 0; length += count)
    count = readSync(descriptor, buffer, length, buffer.length - length, null);
  if (length > MAX_FILE_BYTES) throw secretFileError(path, `it has more than ${MAX_FILE_BYTES} bytes`, CREATE);
  if (buffer[length - 1] === LINE_FEED) length -= buffer[length - 2] === CARRIAGE_RETURN ? 2 : 1;
  if (length === 0) throw secretFileError(path, 'it is empty', CREATE);
  return buffer.slice(0, length);
}

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

const CREATE = 'Create it with a secret of generateSecret() and the mode 0600, as the user of this process';

function secretFileError(path: string, why: string, remedy: string, cause?: unknown): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_INVALID_OPTION',
    `Option "secretFile": expected a file of mode 0600 of this user at ${JSON.stringify(path)}, but ${why}. ${remedy}.`,
    cause === undefined ? undefined : { cause },
  );
}
