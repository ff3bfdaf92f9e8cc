import { createCipheriv, createHash, hkdfSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { Handshake, type NoiseSession } from '../../../src/protocol/secure/noise.ts';
import fixture from '../../fixtures/noise-nnpsk0.json' with { type: 'json' };

const psk = new Uint8Array(32).fill(7);
const prologue = Buffer.from('prologue');
const PROTOCOL_NAME = 'Noise_NNpsk0_25519_AESGCM_SHA256';

/** Public keys that agree on zero with any other (RFC 7748 §6.1; the list is libsodium's). */
const LOW_ORDER = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
];

describe.each(fixture.vectors)('a handshake with the published vector of $protocol_name', (vector) => {
  const { initiator, responder } = sides({
    initiator: [vector.init_psks[0], vector.init_prologue, vector.init_ephemeral],
    responder: [vector.resp_psks[0], vector.resp_prologue, vector.resp_ephemeral],
  });
  const [first, second, ...transport] = vector.messages;

  test('reproduces both messages, the handshake hash and every transport message', () => {
    expect(vector.protocol_name).toBe(PROTOCOL_NAME);
    expect(hex(initiator.write(bytes(first?.payload)))).toBe(first?.ciphertext);
    expect(hex(responder.tryRead(bytes(first?.ciphertext)))).toBe(first?.payload);
    expect(hex(responder.write(bytes(second?.payload)))).toBe(second?.ciphertext);
    expect(hex(initiator.tryRead(bytes(second?.ciphertext)))).toBe(second?.payload);
    const [one, other] = [initiator.split(), responder.split()];
    expect([hex(one.handshakeHash), hex(other.handshakeHash)]).toStrictEqual(Array(2).fill(vector.handshake_hash));
    expect(transport.length).toBeGreaterThan(0);
    for (const [index, { payload, ciphertext }] of transport.entries()) {
      const [from, to] = index % 2 === 0 ? [one, other] : [other, one];
      expect(hex(Buffer.concat(from.send.encrypt(bytes(payload))))).toBe(ciphertext);
      expect(hex(tryOpen(to, bytes(ciphertext)))).toBe(payload);
    }
  });
});

describe('a handshake', () => {
  test.each([
    ['another psk', { psk: new Uint8Array(32).fill(8), prologue }],
    ['another prologue', { psk, prologue: Buffer.from('prologuE') }],
    ['an empty prologue', { psk, prologue: new Uint8Array(0) }],
  ])('fails at the first message if the responder has %s', (_, other) => {
    const message = new Handshake({ role: 'initiator', psk, prologue }).write();
    expect(new Handshake({ role: 'responder', ...other }).tryRead(message)).toBeUndefined();
    expect(new Handshake({ role: 'responder', psk, prologue }).tryRead(message)).toHaveLength(0);
  });

  test('fails at a first message of any wrong length up to 49 bytes', () => {
    const message = Buffer.concat([new Handshake({ role: 'initiator', psk, prologue }).write(), Buffer.of(0)]);
    const taken = Array.from(message, (_, end) => end + 1).filter((length) => {
      return new Handshake({ role: 'responder', psk, prologue }).tryRead(message.subarray(0, length)) !== undefined;
    });
    expect(taken).toStrictEqual([48]);
  });

  test('fails at a second message of any wrong length up to 49 bytes', () => {
    const taken = Array.from({ length: 50 }, (_, length) => length).filter((length) => {
      const { initiator, message } = answered();
      return initiator.tryRead(Buffer.concat([message, Buffer.of(0)]).subarray(0, length)) !== undefined;
    });
    expect(taken).toStrictEqual([48]);
  });

  test('fails at either message if a byte of it was changed', () => {
    for (let at = 0; at < 48; at += 1) {
      const { initiator, first, message } = answered();
      expect(new Handshake({ role: 'responder', psk, prologue }).tryRead(flipped(first, at))).toBeUndefined();
      expect(initiator.tryRead(flipped(message, at))).toBeUndefined();
    }
  });

  test.each(LOW_ORDER)('fails at a first message with the point %s, even if it was made with the psk', (point) => {
    const honest = new Handshake({ role: 'initiator', psk, prologue }).write();
    expect(new Handshake({ role: 'responder', psk, prologue }).tryRead(sealed(honest.subarray(0, 32)))).toHaveLength(0);
    expect(new Handshake({ role: 'responder', psk, prologue }).tryRead(sealed(bytes(point)))).toBeUndefined();
  });

  test.each(LOW_ORDER)('fails at a second message with the point %s', (point) => {
    const { initiator, message } = answered();
    expect(initiator.tryRead(Buffer.concat([bytes(point), message.subarray(32)]))).toBeUndefined();
  });

  test('has a new hash and a new ciphertext each time, and the same hash on both sides', () => {
    const [[one, other], [third]] = [split(), split()];
    expect(one.handshakeHash).toStrictEqual(other.handshakeHash);
    expect(one.handshakeHash).not.toStrictEqual(third.handshakeHash);
    expect(one.send.encrypt(psk)).not.toStrictEqual(third.send.encrypt(psk));
  });
});

describe('CipherState.decrypt', () => {
  const texts = ['first', 'second', 'third'];

  test('refuses a message that is replayed', () => {
    const [{ send }, other] = split();
    const message = Buffer.concat(send.encrypt(bytes('00')));
    expect(hex(tryOpen(other, message))).toBe('00');
    expect(tryOpen(other, message)).toBeUndefined();
  });

  test.each([
    ['arrives before its turn', [1]],
    ['arrives after one was omitted', [0, 2]],
  ])('refuses a message that %s', (_, order) => {
    const [{ send }, other] = split();
    const messages = texts.map((text) => Buffer.concat(send.encrypt(Buffer.from(text))));
    const read = order.map((index) => tryOpen(other, messages[index] ?? psk));
    expect(read.at(-1)).toBeUndefined();
    expect(read.slice(0, -1)).not.toContain(undefined);
  });

  test('refuses a message that is reflected to its sender', () => {
    const [session] = split();
    expect(tryOpen(session, Buffer.concat(session.send.encrypt(psk)))).toBeUndefined();
  });

  test('refuses a message of another session, with other additional data, changed or shorter', () => {
    const message = Buffer.concat(split()[0].send.encrypt(psk));
    expect(tryOpen(split()[1], message)).toBeUndefined();
    const good = (): readonly [Uint8Array, NoiseSession] => {
      const [{ send }, session] = split();
      return [Buffer.concat(send.encrypt(psk)), session];
    };
    for (const at of message.keys()) {
      const [whole, session] = good();
      expect(tryOpen(session, flipped(whole, at))).toBeUndefined();
    }
    for (const length of [16, 17, 47]) {
      const [whole, session] = good();
      expect(tryOpen(session, whole.subarray(0, length))).toBeUndefined();
    }
    const [whole, session] = good();
    expect(tryOpen(session, whole, prologue)).toBeUndefined();
  });
});

/** A first message by a client that knows the psk and chooses its e: the specification once more, without its names. */
function sealed(e: Uint8Array): Uint8Array {
  const name = Buffer.from(PROTOCOL_NAME);
  const [chain, mixed] = halves(hkdfSync('sha256', psk, name, '', 64));
  const hash = sha256(sha256(sha256(name, prologue), mixed), e);
  const [, key] = halves(hkdfSync('sha256', e, chain, '', 64));
  const cipher = createCipheriv('aes-256-gcm', key, Buffer.alloc(12)).setAAD(hash);
  return Buffer.concat([e, cipher.final(), cipher.getAuthTag()]);
}

function sha256(...parts: readonly Uint8Array[]): Buffer {
  return createHash('sha256').update(Buffer.concat(parts)).digest();
}

function halves(derived: ArrayBuffer): readonly [Uint8Array, Uint8Array] {
  return [new Uint8Array(derived, 0, 32), new Uint8Array(derived, 32, 32)];
}

/** An initiator that waits, what it sent, and the answer to it. */
function answered(): { readonly initiator: Handshake; readonly first: Uint8Array; readonly message: Uint8Array } {
  const initiator = new Handshake({ role: 'initiator', psk, prologue });
  const responder = new Handshake({ role: 'responder', psk, prologue });
  const first = initiator.write();
  responder.tryRead(first);
  return { initiator, first, message: responder.write() };
}

function split(): readonly [NoiseSession, NoiseSession] {
  const initiator = new Handshake({ role: 'initiator', psk, prologue });
  const responder = new Handshake({ role: 'responder', psk, prologue });
  responder.tryRead(initiator.write());
  initiator.tryRead(responder.write());
  return [initiator.split(), responder.split()];
}

/** The plaintext of a whole message, its tag included. */
function tryOpen({ receive }: NoiseSession, message: Uint8Array, ad?: Uint8Array): Uint8Array | undefined {
  const end = message.length - 16;
  return receive.tryDecrypt(message.subarray(0, end), message.subarray(end), ad);
}

type Known = readonly [psk: string | undefined, prologue: string, ephemeral: string];

function sides(known: { readonly initiator: Known; readonly responder: Known }): Record<keyof typeof known, Handshake> {
  const side = (role: keyof typeof known): Handshake => {
    const [secret, start, ephemeral] = known[role];
    return new Handshake({ role, psk: bytes(secret), prologue: bytes(start), ephemeral: bytes(ephemeral) });
  };
  return { initiator: side('initiator'), responder: side('responder') };
}

function flipped(given: Uint8Array, at: number): Uint8Array {
  return given.map((byte, index) => (index === at ? byte ^ 0x80 : byte));
}

function bytes(text = ''): Buffer {
  return Buffer.from(text, 'hex');
}

function hex(given: Uint8Array | undefined): string | undefined {
  return given && Buffer.from(given).toString('hex');
}
