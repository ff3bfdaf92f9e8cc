// Not an import: bundlers hoist it, and launches without a secret would load node:crypto too.
const { hash } = process.getBuiltinModule('node:crypto');

const BLOCK_BYTES = 64;
const HASH_BYTES = 32;

/**
 * Noise's HKDF, which is that of RFC 5869 without info: returns a function that returns the outputs, one by one. Not `hkdfSync()`:
 * it takes as long as eight HMACs.
 */
export function hkdf(chainingKey: Uint8Array, keyMaterial: Uint8Array): () => Uint8Array {
  const temporaryKey = hmac(chainingKey, keyMaterial);
  let output: Uint8Array = new Uint8Array(0);
  let count = 0;
  return () => {
    count += 1;
    output = hmac(temporaryKey, Buffer.concat([output, Uint8Array.of(count)]));
    return output;
  };
}

/** HMAC-SHA256 of RFC 2104, with a key of 32 bytes at most. Not `createHmac()`: to collect its objects takes longer than to hash. */
export function hmac(key: Uint8Array, data: Uint8Array): Uint8Array {
  const inner = padded(key, 0x36, data.length);
  inner.set(data, BLOCK_BYTES);
  const outer = padded(key, 0x5c, HASH_BYTES);
  outer.set(sha256(inner), BLOCK_BYTES);
  return sha256(outer);
}

/** The key, combined with a byte to the length of a block, and space after it. */
function padded(key: Uint8Array, byte: number, space: number): Buffer {
  const block = Buffer.allocUnsafe(BLOCK_BYTES + space).fill(byte, HASH_BYTES, BLOCK_BYTES);
  for (let at = 0; at < HASH_BYTES; at += 1) block[at] = byte ^ (key[at] ?? 0);
  return block;
}

/** By a string: as a buffer, the result would take three times as long. */
export function sha256(data: Uint8Array): Uint8Array {
  return Buffer.from(hash('sha256', data, 'binary'), 'binary');
}
