import { createCipheriv, createDecipheriv, diffieHellman, generateKeyPairSync, randomBytes } from 'node:crypto';
import { race } from './in-process.js';
import { wire } from './wire.js';

const SIZES = /** @type {const} */ ([
  ['1 KiB', 2 ** 10],
  ['64 KiB', 2 ** 16],
  ['1 MiB', 2 ** 20],
]);

/**
 * The throughput of a secure channel against AES-256-GCM of node:crypto, and its handshake against the operations that it requires.
 * @param {import('./internals.js').Internals} internals
 * @param {import('./rounds.js').Budget} budget
 */
export async function channel(internals, budget) {
  const [left, right] = open(internals, wire());
  const key = randomBytes(32);
  const passing = SIZES.map(([size, bytes]) => {
    const plaintext = randomBytes(bytes);
    return {
      name: `${size} writes`,
      against: 'AES-256-GCM',
      amount: bytes / 1e6,
      unit: 'MB/s',
      ours: () => pass(left, right, plaintext),
      theirs: () => decrypt(key, encrypt(key, plaintext)),
    };
  });
  const handshake = {
    name: 'handshakes',
    against: '2 × X25519 + key',
    amount: 1,
    unit: 'per s',
    ours: () => open(internals, wire()),
    theirs: agree,
  };
  return race('secure channel', [...passing, handshake], budget);
}

/**
 * Both sides of a channel.
 * @param {import('./internals.js').Internals} internals
 * @param {[import('node:stream').Duplex, import('node:stream').Duplex]} ends
 */
function open({ initiate, tryRespond }, [client, host]) {
  const known = { secret: Buffer.alloc(32, 1), prologue: Buffer.alloc(16) };
  const hostHello = Buffer.alloc(12);
  const initiation = initiate(known);
  const response = tryRespond(known, initiation.message, hostHello);
  const left = response && initiation.tryFinish(client, response.message, hostHello);
  if (!left) throw new Error('Expected a handshake of one secret to succeed.');
  return /** @type {const} */ ([left, response.open(host)]);
}

/**
 * @param {import('node:stream').Duplex} left
 * @param {import('node:stream').Duplex} right
 * @param {Uint8Array} bytes
 */
function pass(left, right, bytes) {
  return new Promise((resolve) => {
    let missing = bytes.length;
    const take = (/** @type {Uint8Array} */ chunk) => {
      missing -= chunk.length;
      if (missing > 0) return;
      right.off('data', take);
      resolve(undefined);
    };
    right.on('data', take);
    left.write(bytes);
  });
}

/** @param {Uint8Array} key @param {Uint8Array} plaintext */
function encrypt(key, plaintext) {
  const cipher = createCipheriv('aes-256-gcm', key, Buffer.alloc(12));
  const ciphertext = cipher.update(plaintext);
  cipher.final();
  return { ciphertext, tag: cipher.getAuthTag() };
}

/** @param {Uint8Array} key @param {ReturnType<typeof encrypt>} message */
function decrypt(key, { ciphertext, tag }) {
  const decipher = createDecipheriv('aes-256-gcm', key, Buffer.alloc(12), { authTagLength: 16 }).setAuthTag(tag);
  const plaintext = decipher.update(ciphertext);
  decipher.final();
  return plaintext;
}

/** Each side makes a key, and agrees on a secret with the other's. */
function agree() {
  const [one, other] = [generateKeyPairSync('x25519'), generateKeyPairSync('x25519')];
  diffieHellman({ privateKey: one.privateKey, publicKey: other.publicKey });
  diffieHellman({ privateKey: other.privateKey, publicKey: one.publicKey });
}
