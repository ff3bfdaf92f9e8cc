import {
  createCipheriv,
  createDecipheriv,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hash,
} from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/**
 * The number of bytes that one side sent before the other side sent any.
 * @typedef {object} Turn
 * @property {'client' | 'host'} from
 * @property {number} bytes
 */

/**
 * Records, between a client and a host, how many bytes each side sends.
 * @param {import('node:net').NetConnectOpts} host
 * @param {(port: number) => Promise<unknown>} deliver Delivers a launch through this port.
 * @returns {Promise<readonly Turn[]>}
 */
export async function record(host, deliver) {
  /** @type {Turn[]} */
  const turns = [];
  /** @type {(from: Turn['from']) => (chunk: Uint8Array) => void} */
  const note = (from) => (chunk) => {
    const last = turns.at(-1);
    if (last?.from === from) last.bytes += chunk.length;
    else turns.push({ from, bytes: chunk.length });
  };
  const relay = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const upstream = connect({ ...host, allowHalfOpen: true });
    client.on('data', note('client')).pipe(upstream);
    upstream.on('data', note('host')).pipe(client);
  }).listen({ host: '127.0.0.1', port: 0, exclusive: true });
  await once(relay, 'listening');
  const address = relay.address();
  await deliver(typeof address === 'object' && address ? address.port : 0);
  relay.close();
  return turns;
}

/**
 * What a side does besides.
 * @typedef {object} Duties
 * @property {boolean} [encrypts]
 * @property {boolean} [hashes] Whether it hashes as often as a handshake of Noise does.
 * @property {number} [pauses] Turns of the event loop before its last bytes, or before its end if it sends no more.
 * @property {boolean} [asks] Whether it asks for the address of the other side, which shows whether that is gone.
 * @property {boolean} [hasDeadline]
 */

/**
 * Sends the bytes of one side of a recording without any other work of a protocol. The client ends first.
 * @param {import('node:net').Socket} socket
 * @param {readonly Turn[]} turns
 * @param {Turn['from']} side
 * @param {Duties} [duties]
 */
export function replay(socket, turns, side, duties = {}) {
  const cryptography = duties.encrypts ? new Cryptography(duties.hashes) : undefined;
  let at = 0;
  /** @type {Uint8Array[]} */
  let received = [];
  let missing = 0;
  const sendTurn = () => {
    for (; turns[at]?.from === side; at += 1) {
      const bytes = turns[at]?.bytes ?? 0;
      const write = () => void socket.write(cryptography?.encrypt(bytes) ?? Buffer.alloc(bytes));
      if (at === turns.length - 1 && side === 'host') beforeLast(socket, duties, write);
      else write();
    }
    missing = turns[at]?.bytes ?? 0;
    received = [];
    if (at === turns.length && side === 'client') beforeLast(socket, duties, () => void socket.end());
  };
  socket.on('error', () => {});
  socket.on('data', (chunk) => {
    missing -= chunk.length;
    if (cryptography) received.push(chunk);
    if (missing > 0) return;
    cryptography?.decrypt(Buffer.concat(received));
    at += 1;
    sendTurn();
  });
  socket.on('end', () => {
    if (socket.writableEnded) return;
    if (duties.asks) void socket.remoteAddress;
    socket.end();
  });
  if (duties.hasDeadline) setDeadline(socket);
  sendTurn();
}

/**
 * @param {import('node:net').Socket} socket
 * @param {Duties} duties
 * @param {() => void} act
 */
function beforeLast(socket, { pauses = 0, asks }, act) {
  let left = pauses;
  const onTurn = () => {
    if (left > 0) {
      left -= 1;
      return void setImmediate(onTurn);
    }
    if (asks) void socket.remoteAddress;
    return act();
  };
  onTurn();
}

/** @param {import('node:net').Socket} socket */
function setDeadline(socket) {
  const deadline = setTimeout(() => socket.destroy(), DEADLINE);
  socket.on('close', () => clearTimeout(deadline));
}

const BASE_POINT = publicKeyOf(Buffer.alloc(32).fill(9, 0, 1));
const NONCE = Buffer.alloc(12);
const KEY = Buffer.alloc(32);
const TAG_BYTES = 16;
/** Milliseconds. */
const DEADLINE = 10_000;
/** Of Noise_NNpsk0, on each side: six over what was sent, and two for each of fourteen HMACs; half of them for each message. */
const HASHES = 34;
/** What each of them hashes: an HMAC hashes one block of 64 bytes, and 32 bytes or so. */
const HASHED_BYTES = 96;

/** What one side of a delivery with a secret computes at the least: a key of its own, two agreements and AES-256-GCM. */
class Cryptography {
  #pair = generateKeyPairSync('x25519');
  #own = diffieHellman({ privateKey: this.#pair.privateKey, publicKey: BASE_POINT });
  #hasEncrypted = false;
  #hasAgreed = false;
  #hashes;

  /** @param {boolean} [hashes] Whether it hashes, too. */
  constructor(hashes = false) {
    this.#hashes = hashes;
  }

  #hash() {
    for (let left = this.#hashes ? HASHES / 2 : 0; left > 0; left -= 1)
      hash('sha256', Buffer.alloc(HASHED_BYTES), 'binary');
  }

  /** @param {number} bytes Those of ciphertext and tag. */
  encrypt(bytes) {
    if (!this.#hasEncrypted) this.#hash();
    this.#hasEncrypted = true;
    const cipher = createCipheriv('aes-256-gcm', KEY, NONCE);
    const ciphertext = cipher.update(Buffer.alloc(bytes - TAG_BYTES));
    cipher.final();
    return Buffer.concat([ciphertext, cipher.getAuthTag()]);
  }

  /** @param {Buffer} bytes */
  decrypt(bytes) {
    const decipher = createDecipheriv('aes-256-gcm', KEY, NONCE, { authTagLength: TAG_BYTES });
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES)).update(bytes.subarray(0, -TAG_BYTES));
    decipher.final();
    if (this.#hasAgreed) return;
    this.#hash();
    // Any point takes as long as that of the other side.
    diffieHellman({ privateKey: this.#pair.privateKey, publicKey: publicKeyOf(this.#own) });
    this.#hasAgreed = true;
  }
}

/** @param {Uint8Array} bytes */
function publicKeyOf(bytes) {
  const x = Buffer.from(bytes).toString('base64url');
  return createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x }, format: 'jwk' });
}
