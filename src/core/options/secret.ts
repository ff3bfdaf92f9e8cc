import { isUint8Array, tryBytes } from '../../interface/bytes.ts';
import { SingletonError } from '../../interface/errors.ts';

/**
 * A new secret for the option `secret`: 32 random bytes as base64url, 43 characters. Make one for each program, keep it
 * in an environment variable or in a file that only its owner can read, and give it to both sides.
 */
export function generateSecret(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64url');
}

/** The option `secret` as bytes. @throws SingletonError `ERR_SINGLETON_INVALID_OPTION` */
export function resolveSecret(secret: unknown): Uint8Array | undefined {
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
