/**
 * A new secret for the option `secret`: 32 random bytes as base64url, 43 characters. Make one for each program, keep it
 * in an environment variable or in a file that only its owner can read, and give it to both sides.
 */
export function generateSecret(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64url');
}
