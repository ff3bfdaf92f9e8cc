// Not an import: bundlers hoist it, and launches without a secret would load node:crypto too.
const { hash } = process.getBuiltinModule('node:crypto');

// No Buffer here: those that are short share memory with all others of the process, where a key could be seen.

const BLOCK_BYTES = 64;
const HASH_BYTES = 32;

/**
 * Noise's HKDF, which is that of RFC 5869 without info: returns a function that returns the outputs, one by one. Not `hkdfSync()`:
 * it takes as long as eight HMACs.
 */
export function hkdf(chainingKey: Uint8Array, keyMaterial: Uint8Array): () => Uint8Array {
  const temporaryKey = hmac(chainingKey, keyMaterial);
  let output = new Uint8Array(0);
  let count = 0;
  return () => {
    count += 1;
    const message = new Uint8Array(output.length + 1);
    message.set(output);
    message[output.length] = count;
    output = hmac(temporaryKey, message);
    return output;
  };
}

/** HMAC-SHA256 of RFC 2104, with a key of 32 bytes at most. Not `createHmac()`: to collect its objects takes longer than to hash. */
export function hmac(key: Uint8Array, data: Uint8Array): Uint8Array<ArrayBuffer> {
  return sha256(padded(key, 0x5c, sha256(padded(key, 0x36, data))));
}

/** Used again for each message that is not longer: to allocate it takes as long as to hash it. */
const scratch = new Uint8Array(2 * BLOCK_BYTES);

/** The key, combined with a byte to the length of a block, and the data. Valid until the next call. */
function padded(key: Uint8Array, byte: number, data: Uint8Array): Uint8Array {
  const length = BLOCK_BYTES + data.length;
  const message = length > scratch.length ? new Uint8Array(length) : scratch.subarray(0, length);
  message.fill(byte, key.length, BLOCK_BYTES);
  for (let at = 0; at < key.length; at += 1) message[at] = byte ^ (key[at] ?? 0);
  message.set(data, BLOCK_BYTES);
  return message;
}

/** By a string: as a buffer, the result would take three times as long. */
export function sha256(data: Uint8Array): Uint8Array<ArrayBuffer> {
  const text = hash('sha256', data, 'binary');
  const digest = new Uint8Array(HASH_BYTES);
  for (let at = 0; at < HASH_BYTES; at += 1) digest[at] = text.charCodeAt(at);
  return digest;
}
