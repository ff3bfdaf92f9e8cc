import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { isUint8Array, tryBytes } from '../../src/interface/bytes.ts';

describe('tryBytes', () => {
  it.each([
    ['a Uint8Array', new Uint8Array([1, 2])],
    ['a Buffer', Buffer.of(1, 2)],
    ['a part of a larger buffer', new Uint8Array([0, 1, 2, 3]).subarray(1, 3)],
    ['a Uint8Array of another realm', runInNewContext('new Uint8Array([1, 2])')],
    ['an instance of a class that extends it', new (class extends Uint8Array {})([1, 2])],
  ])('returns the bytes of %s', (_, value) => {
    expect(tryBytes(value)).toStrictEqual(new Uint8Array([1, 2]));
  });

  it.each(['length', 'byteLength', 'byteOffset', 'buffer'])('ignores a property "%s" of its own', (key) => {
    for (const wrong of [0, 1, 100_000, new ArrayBuffer(8)]) {
      const value = Object.defineProperty(new Uint8Array([1, 2]), key, { value: wrong });
      expect(tryBytes(value)).toStrictEqual(new Uint8Array([1, 2]));
    }
  });

  it('shares the memory of the value', () => {
    const value = new Uint8Array([1, 2]);
    expect(tryBytes(value)?.buffer).toBe(value.buffer);
  });

  it('returns no bytes if the buffer was transferred', () => {
    const value = new Uint8Array([1, 2]);
    structuredClone(value.buffer, { transfer: [value.buffer] });
    expect(tryBytes(value)).toStrictEqual(new Uint8Array(0));
  });

  it.each([
    ['a list', [1, 2]],
    ['a string', 'ab'],
    ['undefined', undefined],
    ['null', null],
    ['an ArrayBuffer', new ArrayBuffer(2)],
    ['a DataView', new DataView(new ArrayBuffer(2))],
    ['a Uint8ClampedArray', new Uint8ClampedArray(2)],
    ['an Int8Array', new Int8Array(2)],
    ['an object with its prototype', Object.create(Uint8Array.prototype)],
    ['an object with its tag', { [Symbol.toStringTag]: 'Uint8Array', length: 2 }],
  ])('returns undefined for %s', (_, value) => {
    expect(tryBytes(value)).toBeUndefined();
    expect(isUint8Array(value)).toBe(false);
  });
});
