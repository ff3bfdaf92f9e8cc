import { createHash, createHmac, hkdfSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { pskOf } from '../../src/protocol/secure/handshake.ts';
import { hkdf, hmac, sha256 } from '../../src/protocol/secure/hkdf.ts';
import { hmacKeys, messages } from './arbitraries.ts';

describe('hmac', () => {
  test('returns what RFC 4231 §4.3 has', () => {
    expect(hex(hmac(Buffer.from('Jefe'), Buffer.from('what do ya want for nothing?')))).toBe(
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    );
  });

  test('returns the same as createHmac() for keys of up to 32 bytes', () => {
    fc.assert(
      fc.property(hmacKeys(), messages(), (secret, data) => {
        expect(hex(hmac(secret, data))).toBe(createHmac('sha256', secret).update(data).digest('hex'));
      }),
    );
  });
});

describe('sha256', () => {
  test('returns the same as createHash()', () => {
    fc.assert(
      fc.property(messages(), (data) => {
        expect(hex(sha256(data))).toBe(createHash('sha256').update(data).digest('hex'));
      }),
    );
  });
});

describe('hkdf', () => {
  test('returns the outputs of hkdfSync() without info, one by one', () => {
    fc.assert(
      fc.property(hmacKeys(), messages(), (chainingKey, material) => {
        const derive = hkdf(chainingKey, material);
        const all = Buffer.concat([derive(), derive(), derive()]);
        expect(hex(all)).toBe(hex(hkdfSync('sha256', material, chainingKey, '', 96)));
      }),
    );
  });
});

describe('pskOf', () => {
  test('returns the same as hkdfSync() with the salt and the info of the protocol, for secrets of any length', () => {
    fc.assert(
      fc.property(messages(), (secret) => {
        expect(hex(pskOf(secret))).toBe(hex(hkdfSync('sha256', secret, 'socket-singleton/1', 'psk', 32)));
      }),
    );
  });
});

function hex(data: Uint8Array | ArrayBuffer): string {
  return Buffer.from(new Uint8Array(data)).toString('hex');
}
