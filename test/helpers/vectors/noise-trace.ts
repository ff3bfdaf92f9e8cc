import {
  createCipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hkdfSync,
  type KeyObject,
} from 'node:crypto';

// Noise_NNpsk0_25519_AESGCM_SHA256 from its specification, with every value on the way. Imports nothing of src.

const NAME = Buffer.from('Noise_NNpsk0_25519_AESGCM_SHA256');
const EMPTY = Buffer.alloc(0);

/** What both sides know, and the result of their key agreement. */
export interface TraceInput {
  readonly secret: string;
  readonly prologue: Buffer;
  readonly clientPublic: Buffer;
  readonly hostPublic: Buffer;
  readonly dh: Buffer;
  /** The payload of the second message. */
  readonly hostHello: Buffer;
}

/** The state after one step, as far as the step changes it. */
export interface TraceStep {
  readonly step: string;
  readonly values: Readonly<Record<string, Buffer>>;
}

export interface Trace {
  readonly psk: Buffer;
  readonly steps: readonly TraceStep[];
  readonly first: Buffer;
  readonly second: Buffer;
  readonly handshakeHash: Buffer;
  readonly clientToHost: Buffer;
  readonly hostToClient: Buffer;
}

export function traceHandshake({ secret, prologue, clientPublic, hostPublic, dh, hostHello }: TraceInput): Trace {
  const psk = Buffer.from(hkdfSync('sha256', secret, 'socket-singleton/1', 'psk', 32));
  const h1 = sha256(NAME, prologue);
  const [ck1, tempH, k1] = hkdf(NAME, psk);
  const h2 = sha256(h1, tempH);
  const h3 = sha256(h2, clientPublic);
  const [ck2, k2] = hkdf(ck1, clientPublic);
  const firstTag = seal(k2, 0, EMPTY, h3);
  const h4 = sha256(h3, firstTag);
  const h5 = sha256(h4, hostPublic);
  const [ck3, k3] = hkdf(ck2, hostPublic);
  const [ck4, k4] = hkdf(ck3, dh);
  const payload = seal(k4, 0, hostHello, h5);
  const h6 = sha256(h5, payload);
  const [clientToHost, hostToClient] = hkdf(ck4, EMPTY);
  return {
    psk,
    steps: [
      { step: 'Initialize and MixHash(prologue)', values: { ck: NAME, h: h1 } },
      { step: 'MixKeyAndHash(psk)', values: { ck: ck1, temp_h: tempH, h: h2, k: k1 } },
      { step: 'message 1, e', values: { e: clientPublic, h: h3, ck: ck2, k: k2 } },
      { step: 'message 1, EncryptAndHash of no payload', values: { ciphertext: firstTag, h: h4 } },
      { step: 'message 2, e', values: { e: hostPublic, h: h5, ck: ck3, k: k3 } },
      { step: 'message 2, ee', values: { dh, ck: ck4, k: k4 } },
      { step: 'message 2, EncryptAndHash of the host hello', values: { ciphertext: payload, h: h6 } },
      { step: 'Split', values: { client_to_host: clientToHost, host_to_client: hostToClient } },
    ],
    first: Buffer.concat([clientPublic, firstTag]),
    second: Buffer.concat([hostPublic, payload]),
    handshakeHash: h6,
    clientToHost,
    hostToClient,
  };
}

/** One record: its length, and what was encrypted as the message of that number. */
export function record(key: Buffer, number: number, plaintext: Buffer): Buffer {
  const sealed = seal(key, number, plaintext, EMPTY);
  return Buffer.concat([Buffer.of(sealed.length >> 8, sealed.length & 0xff), sealed]);
}

/** 32 bytes that count from the first: a private key for examples only. */
export function countingKey(first: number): Buffer {
  return Buffer.from(Array.from({ length: 32 }, (_, index) => first + index));
}

export function publicOf(key: Buffer): Buffer {
  const { x = '' } = createPublicKey(privateKey(key)).export({ format: 'jwk' });
  return Buffer.from(x, 'base64url');
}

export function agree(ours: Buffer, theirs: Buffer): Buffer {
  const jwk = { kty: 'OKP', crv: 'X25519', x: theirs.toString('base64url') };
  return diffieHellman({ privateKey: privateKey(ours), publicKey: createPublicKey({ key: jwk, format: 'jwk' }) });
}

function sha256(...parts: readonly Buffer[]): Buffer {
  return createHash('sha256').update(Buffer.concat(parts)).digest();
}

function hmac(key: Buffer, ...parts: readonly Buffer[]): Buffer {
  return createHmac('sha256', key).update(Buffer.concat(parts)).digest();
}

/** The three outputs of Noise's HKDF. */
function hkdf(chainingKey: Buffer, material: Buffer): readonly [Buffer, Buffer, Buffer] {
  const temporary = hmac(chainingKey, material);
  const first = hmac(temporary, Buffer.of(1));
  const second = hmac(temporary, first, Buffer.of(2));
  return [first, second, hmac(temporary, second, Buffer.of(3))];
}

function seal(key: Buffer, number: number, plaintext: Buffer, ad: Buffer): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32BE(number, 8);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(ad);
  return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

function privateKey(bytes: Buffer): KeyObject {
  const key = Buffer.concat([Buffer.from('302e020100300506032b656e04220420', 'hex'), bytes]);
  return createPrivateKey({ key, format: 'der', type: 'pkcs8' });
}
