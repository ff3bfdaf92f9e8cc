import type { Duplex } from 'node:stream';
import { Handshake } from './noise.ts';
import { SecureStream } from './secure-stream.ts';

/** What both sides know before the handshake. */
export interface Known {
  readonly secret: Uint8Array;
  /** What the client has sent so far: a change to it on its way makes the handshake fail. */
  readonly prologue: Uint8Array;
}

/** The client's side: its message, and what makes a channel of the host's. */
export interface Initiation {
  readonly message: Uint8Array;
  /** `undefined` where the host did not prove the secret. */
  tryFinish(connection: Duplex, message: Uint8Array): SecureStream | undefined;
}

export function initiate({ secret, prologue }: Known): Initiation {
  const handshake = new Handshake({ role: 'initiator', psk: pskOf(secret), prologue });
  return {
    message: handshake.write(),
    tryFinish: (connection, message) => handshake.tryRead(message) && new SecureStream(connection, handshake.split()),
  };
}

/** The host's side: its message, and the channel once that is written. */
export interface Response {
  readonly message: Uint8Array;
  open(connection: Duplex): SecureStream;
}

/** `undefined` where the client did not prove the secret. */
export function tryRespond({ secret, prologue }: Known, message: Uint8Array): Response | undefined {
  const handshake = new Handshake({ role: 'responder', psk: pskOf(secret), prologue });
  if (!handshake.tryRead(message)) return undefined;
  return { message: handshake.write(), open: (connection) => new SecureStream(connection, handshake.split()) };
}

/** A key of fixed length from a secret of any; other uses of the same secret give other keys. */
export function pskOf(secret: Uint8Array): Uint8Array {
  const { hkdfSync } = process.getBuiltinModule('node:crypto');
  return new Uint8Array(hkdfSync('sha256', secret, 'socket-singleton/1', 'psk', 32));
}
