import type { Duplex } from 'node:stream';
import { hmac } from './hkdf.ts';
import { Handshake } from './noise.ts';
import { SecureStream } from './secure-stream.ts';

/** What both sides know before the handshake. */
export interface HandshakeInput {
  readonly secret: Uint8Array;
  /** The client hello: if it was changed on its way, the handshake fails. */
  readonly prologue: Uint8Array;
}

/** The client's side: its message, and what makes a stream of the host's answer. */
export interface Initiation {
  readonly message: Uint8Array;
  /** `undefined` if the host did not prove that it knows the secret, or sent another hello than the one that arrived. */
  tryFinish(connection: Duplex, message: Uint8Array, hostHello: Uint8Array): SecureStream | undefined;
}

export function initiate({ secret, prologue }: HandshakeInput): Initiation {
  const handshake = new Handshake({ role: 'initiator', psk: pskOf(secret), prologue });
  return {
    message: handshake.write(),
    tryFinish(connection, message, hostHello) {
      const payload = handshake.tryRead(message);
      const isSame = payload && Buffer.from(hostHello).equals(payload);
      return isSame ? new SecureStream(connection, handshake.split()) : undefined;
    },
  };
}

/** The host's side: its message, whose payload is its hello, and the stream to open after the message was written. */
export interface Response {
  readonly message: Uint8Array;
  open(connection: Duplex): SecureStream;
}

/** `undefined` if the client did not prove that it knows the secret. */
export function tryRespond(
  { secret, prologue }: HandshakeInput,
  message: Uint8Array,
  hostHello: Uint8Array,
): Response | undefined {
  const handshake = new Handshake({ role: 'responder', psk: pskOf(secret), prologue });
  if (!handshake.tryRead(message)) return undefined;
  return { message: handshake.write(hostHello), open: (connection) => new SecureStream(connection, handshake.split()) };
}

/** Of each secret, the key that was derived: a host needs the same for all its connections, and a secret may be long. */
const psks = new WeakMap<Uint8Array, Uint8Array>();

/** Derives a key of 32 bytes from a secret of any length, by HKDF (RFC 5869); other uses of the secret get other keys. */
export function pskOf(secret: Uint8Array): Uint8Array {
  const psk = psks.get(secret) ?? hmac(hmac(SALT, secret), INFO);
  psks.set(secret, psk);
  return psk;
}

const SALT = Buffer.from('socket-singleton/1');
/** The info "psk", and the number of the only output. */
const INFO = Buffer.from('psk\u{1}');
