import type { KeyObject } from 'node:crypto';
import { hkdf, sha256 } from './hkdf.ts';

// Not an import: bundlers hoist it, and launches without a secret would load node:crypto too.
const { createCipheriv, createDecipheriv, createPrivateKey, createPublicKey, diffieHellman, generateKeyPairSync } =
  process.getBuiltinModule('node:crypto');

/**
 * `Noise_NNpsk0_25519_AESGCM_SHA256` of the Noise protocol framework, revision 34 (noiseprotocol.org): bytes in, bytes
 * out. The names are those of the specification.
 *
 *     -> psk, e          32 bytes of e | payload | 16 bytes of tag
 *     <- e, ee           the same
 */
const PROTOCOL_NAME = Buffer.from('Noise_NNpsk0_25519_AESGCM_SHA256');

/** Bytes that a handshake message adds to its payload. */
export const HANDSHAKE_OVERHEAD = 48;
/** Bytes of the tag that follows each ciphertext. */
export const TAG_BYTES = 16;
/** The longest message that Noise allows, with its tag. */
export const MAX_MESSAGE_BYTES = 65_535;

const KEY_BYTES = 32;
const EMPTY = Buffer.alloc(0);

export interface HandshakeOptions {
  readonly role: 'initiator' | 'responder';
  /** 32 bytes that both sides know. */
  readonly psk: Uint8Array;
  /** The bytes sent before the handshake; it fails if both sides did not see the same ones. */
  readonly prologue: Uint8Array;
  /** A private key of 32 bytes, for tests with fixed results. @default a new one */
  readonly ephemeral?: Uint8Array | undefined;
}

/** The result of the handshake. */
export interface NoiseSession {
  readonly send: CipherState;
  readonly receive: CipherState;
  /** Identifies the connection; the same on both sides. */
  readonly handshakeHash: Uint8Array;
}

/** One side's handshake. The initiator writes, then reads; the responder reads, then writes. */
export class Handshake {
  readonly #isInitiator: boolean;
  readonly #symmetric: SymmetricState;
  readonly #ephemeral: KeyObject;
  readonly #psk: Uint8Array;
  #shared: Uint8Array | undefined;

  constructor({ role, psk, prologue, ephemeral }: HandshakeOptions) {
    this.#isInitiator = role === 'initiator';
    this.#psk = psk;
    this.#ephemeral = ephemeral ? privateKey(ephemeral) : generateKeyPairSync('x25519').privateKey;
    this.#symmetric = new SymmetricState(prologue);
  }

  write(payload: Uint8Array = EMPTY): Uint8Array {
    if (this.#isInitiator) this.#symmetric.mixKeyAndHash(this.#psk);
    const e = publicBytes(this.#ephemeral);
    this.#symmetric.mixHash(e);
    this.#symmetric.mixKey(e);
    if (!this.#isInitiator) this.#mixEe();
    return Buffer.concat([e, this.#symmetric.encryptAndHash(payload)]);
  }

  /** The payload; `undefined` if the message is incomplete or was made with another psk or prologue. */
  tryRead(message: Uint8Array): Uint8Array | undefined {
    if (message.length < HANDSHAKE_OVERHEAD) return undefined;
    if (!this.#isInitiator) this.#symmetric.mixKeyAndHash(this.#psk);
    const e = message.subarray(0, KEY_BYTES);
    this.#symmetric.mixHash(e);
    this.#symmetric.mixKey(e);
    if (this.#isInitiator) {
      this.#shared = tryAgree(this.#ephemeral, e);
      if (!this.#shared) return undefined;
      this.#mixEe();
    }
    const payload = this.#symmetric.tryDecryptAndHash(message.subarray(KEY_BYTES));
    // After decryption: a client without the psk does not cost the responder a key agreement.
    if (!this.#isInitiator && payload) this.#shared = tryAgree(this.#ephemeral, e);
    return this.#shared && payload;
  }

  /** Call it after both messages. */
  split(): NoiseSession {
    const [first, second] = this.#symmetric.split();
    const handshakeHash = this.#symmetric.hash;
    return this.#isInitiator
      ? { send: first, receive: second, handshakeHash }
      : { send: second, receive: first, handshakeHash };
  }

  #mixEe(): void {
    if (!this.#shared) throw new Error('Expected the initiator to write first, and the responder to read first.');
    this.#symmetric.mixKey(this.#shared);
  }
}

/** A key and the number of the next message. */
export class CipherState {
  readonly #key: Uint8Array;
  readonly #nonce = Buffer.alloc(12);
  #next = 0;

  constructor(key: Uint8Array) {
    this.#key = key;
  }

  /** Ciphertext and tag; not concatenated, to save a copy. */
  encrypt(plaintext: Uint8Array, ad: Uint8Array = EMPTY): readonly [Uint8Array, Uint8Array] {
    const cipher = createCipheriv('aes-256-gcm', this.#key, this.#takeNonce());
    if (ad.length > 0) cipher.setAAD(ad);
    const ciphertext = cipher.update(plaintext);
    cipher.final();
    return [ciphertext, cipher.getAuthTag()];
  }

  /** The plaintext; `undefined` if this is not the next message that the other side encrypted. */
  tryDecrypt(ciphertext: Uint8Array, tag: Uint8Array, ad: Uint8Array = EMPTY): Uint8Array | undefined {
    const decipher = createDecipheriv('aes-256-gcm', this.#key, this.#takeNonce(), { authTagLength: TAG_BYTES });
    if (ad.length > 0) decipher.setAAD(ad);
    decipher.setAuthTag(tag);
    const plaintext = decipher.update(ciphertext);
    try {
      decipher.final();
      return plaintext;
    } catch {
      return undefined;
    }
  }

  /** Four zero bytes, then the number, big-endian. */
  #takeNonce(): Buffer {
    this.#nonce.writeUIntBE(this.#next, 6, 6);
    this.#next += 1;
    return this.#nonce;
  }
}

class SymmetricState {
  #chainingKey: Uint8Array = PROTOCOL_NAME;
  #hash: Uint8Array = PROTOCOL_NAME;
  /** Returns the key of the next payload. Called when it is used: the first keys of a handshake never are. */
  #deriveKey: (() => Uint8Array) | undefined;
  #cipher: CipherState | undefined;

  constructor(prologue: Uint8Array) {
    this.mixHash(prologue);
  }

  get hash(): Uint8Array {
    return this.#hash;
  }

  mixHash(data: Uint8Array): void {
    this.#hash = sha256(Buffer.concat([this.#hash, data]));
  }

  mixKey(keyMaterial: Uint8Array): void {
    const derive = hkdf(this.#chainingKey, keyMaterial);
    this.#chainingKey = derive();
    this.#setKey(derive);
  }

  mixKeyAndHash(keyMaterial: Uint8Array): void {
    const derive = hkdf(this.#chainingKey, keyMaterial);
    this.#chainingKey = derive();
    this.mixHash(derive());
    this.#setKey(derive);
  }

  encryptAndHash(plaintext: Uint8Array): Uint8Array {
    const ciphertext = Buffer.concat(this.#cipherState.encrypt(plaintext, this.#hash));
    this.mixHash(ciphertext);
    return ciphertext;
  }

  tryDecryptAndHash(message: Uint8Array): Uint8Array | undefined {
    const end = message.length - TAG_BYTES;
    const plaintext = this.#cipherState.tryDecrypt(message.subarray(0, end), message.subarray(end), this.#hash);
    this.mixHash(message);
    return plaintext;
  }

  split(): readonly [CipherState, CipherState] {
    const derive = hkdf(this.#chainingKey, EMPTY);
    return [new CipherState(derive()), new CipherState(derive())];
  }

  #setKey(deriveKey: () => Uint8Array): void {
    this.#deriveKey = deriveKey;
    this.#cipher = undefined;
  }

  get #cipherState(): CipherState {
    if (!this.#deriveKey) throw new Error('Expected a key before the first payload.');
    return (this.#cipher ??= new CipherState(this.#deriveKey()));
  }
}

/** For tests only: parsing DER (RFC 8410) is slower than generating a key. */
function privateKey(bytes: Uint8Array): KeyObject {
  const key = Buffer.concat([Buffer.from('302e020100300506032b656e04220420', 'hex'), bytes]);
  return createPrivateKey({ key, format: 'der', type: 'pkcs8' });
}

/** Made at its first use, so that a system without X25519 fails in the handshake. */
let basePoint: KeyObject | undefined;

/**
 * The public key, by agreement with the base point (RFC 7748 §6.1). Not `export()`: DER is slower, and JWK can block
 * Node 20 for ever if garbage of generateKeyPairSync() is collected meanwhile.
 */
function publicBytes(key: KeyObject): Uint8Array {
  basePoint ??= publicKey(Buffer.alloc(KEY_BYTES).fill(9, 0, 1));
  return diffieHellman({ privateKey: key, publicKey: basePoint });
}

/** `undefined` for a point of low order, which no honest peer sends. */
function tryAgree(ours: KeyObject, theirs: Uint8Array): Uint8Array | undefined {
  try {
    return diffieHellman({ privateKey: ours, publicKey: publicKey(theirs) });
  } catch {
    return undefined;
  }
}

function publicKey(bytes: Uint8Array): KeyObject {
  const x = Buffer.from(bytes).toString('base64url');
  return createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x }, format: 'jwk' });
}
