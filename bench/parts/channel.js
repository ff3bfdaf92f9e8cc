import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { Duplex } from 'node:stream';
import { race } from '../in-process.js';

const SIZES = /** @type {const} */ ([
  ['64 KiB', 2 ** 16],
  ['1 MiB', 2 ** 20],
]);

/**
 * The throughput of a secure channel against AES-256-GCM of node:crypto.
 * @param {import('../internals.js').Internals} internals
 * @param {import('../measure.js').Budget} budget
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
  return race('secure', passing, budget);
}

/**
 * Both sides of a channel.
 * @param {import('../internals.js').Internals} internals
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

/** Two ends of a connection in memory, which costs next to nothing. @returns {[Duplex, Duplex]} */
function wire() {
  /** @type {[Duplex, Duplex]} */
  const ends = [end(() => ends[1]), end(() => ends[0])];
  return ends;
}

/** @param {() => Duplex} other */
function end(other) {
  return new Duplex({
    read() {},
    writev(chunks, done) {
      for (const { chunk } of chunks) other().push(chunk);
      done();
    },
    final(done) {
      other().push(null);
      done();
    },
  });
}
