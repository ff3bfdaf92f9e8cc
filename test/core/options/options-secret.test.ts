import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { resolveOptions } from '../../../src/core/options/resolve-options.ts';
import { legacy } from '../../../src/index.ts';
import { fromJavaScript, optionErrorMessage } from '../../helpers/javascript-caller.ts';

const EXPECTED =
  'Option "secret": expected a non-empty string of well-formed Unicode or a non-empty Uint8Array; got a value of type';

describe('the option secret', () => {
  it('has no default', () => {
    expect(resolveOptions({}).secret).toBeUndefined();
    expect(resolveOptions({ secret: undefined }).secret).toBeUndefined();
  });

  it('encodes a string as UTF-8', () => {
    expect(resolveOptions({ secret: 'é😀' }).secret).toEqual(new Uint8Array([0xc3, 0xa9, 0xf0, 0x9f, 0x98, 0x80]));
  });

  it.each([
    ['a Uint8Array', new Uint8Array([1, 2, 3])],
    ['a Buffer', Buffer.of(1, 2, 3)],
  ])('copies %s, so that a later change does not reach it', (_, secret) => {
    const resolved = resolveOptions({ secret });
    secret.fill(0);
    expect(resolved.secret).toEqual(new Uint8Array([1, 2, 3]));
  });

  it('covers only the part of the buffer that a view shows', () => {
    const secret = new Uint8Array([1, 2, 3, 4]).subarray(1, 3);
    expect(resolveOptions({ secret }).secret).toEqual(new Uint8Array([2, 3]));
  });

  it.each(['length', 'byteLength', 'byteOffset'])('reads no other memory for a wrong "%s"', (key) => {
    const secret = Object.defineProperty(Buffer.of(1, 2), key, { value: 100_000 });
    expect(resolveOptions({ secret }).secret).toEqual(new Uint8Array([1, 2]));
  });

  it('accepts a Uint8Array of another realm', () => {
    const secret: Uint8Array = runInNewContext('new Uint8Array([1, 2])');
    expect(resolveOptions({ secret }).secret).toEqual(new Uint8Array([1, 2]));
  });

  it.each([
    ['', EXPECTED.replace('a value of type', 'an empty string.')],
    [new Uint8Array(), EXPECTED.replace('a value of type', 'an empty Uint8Array.')],
    [
      Object.defineProperty(new Uint8Array(), 'length', { value: 8 }),
      EXPECTED.replace('a value of type', 'an empty Uint8Array.'),
    ],
    ['lone\ud800', EXPECTED.replace('a value of type', 'a string that is not.')],
    [null, `${EXPECTED} object.`],
    [4711, `${EXPECTED} number.`],
    [['topsecret'], `${EXPECTED} object.`],
    [() => 'topsecret', `${EXPECTED} function.`],
    [new TextEncoder().encode('topsecret').buffer, `${EXPECTED} object.`],
  ])('refuses %o without showing it', (secret, message) => {
    expect(() => resolveOptions(fromJavaScript({ secret }))).toThrow(
      expect.objectContaining({ code: 'ERR_SINGLETON_INVALID_OPTION', message }),
    );
  });

  it.each([
    ['a string with a NUL', 'sesame\0'],
    ['bytes with a NUL', new TextEncoder().encode('sesame\0')],
    ['bytes that are not UTF-8', new Uint8Array([...new TextEncoder().encode('sesame'), 0xff])],
    ['bytes that encode a surrogate', new Uint8Array([...new TextEncoder().encode('sesame'), 0xed, 0xa0, 0x80])],
    ['a string that starts like HTTP', 'GET /sesame HTTP/1.1\r\nsesame'],
    ['a string that starts like SSH', 'SSH-2.0-sesame\n'],
    ['a string that starts like TLS', '\u{16}\u{3}sesame'],
  ])('refuses %s with the legacy codec without showing it', (_, secret) => {
    const message = optionErrorMessage({ secret });
    expect(message).toMatch(/^Option "secret": expected UTF-8 without NUL.* legacy codec/);
    expect(message).not.toMatch(/sesame|115,/);
  });

  it('refuses a secret for which no message of the legacy codec has room', () => {
    expect(optionErrorMessage({ secret: 'sesame', maxMessageBytes: 6 })).toBe(
      'Option "secret": expected fewer than 6 bytes (maxMessageBytes), got 6; the legacy codec sends it in each message.',
    );
    expect(optionErrorMessage({ secret: 'sesame', maxMessageBytes: 7 })).toBe('accepted');
  });

  it('accepts any bytes if the codec does', () => {
    const { name, protocol } = legacy();
    const secret = new Uint8Array([0, 0xff]);
    expect(resolveOptions({ codec: { name, protocol }, secret }).secret).toEqual(secret);
  });

  it('does not appear in the refusal of another option', () => {
    expect(() => resolveOptions({ secret: 'topsecret', port: -1 })).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('topsecret') }),
    );
  });
});
