import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { serialize } from '../../src/protocol/serializer.ts';

const serializing = (result: unknown): (() => Uint8Array) => {
  return () => serialize('a', { serialize: (): any => result, deserialize: () => 1 }, 1);
};

describe('serialize', () => {
  it('returns the bytes that the serializer returns, of any realm', () => {
    expect(serializing(Buffer.of(1, 2))()).toStrictEqual(new Uint8Array([1, 2]));
    expect(serializing(runInNewContext('new Uint8Array([1, 2])'))()).toStrictEqual(new Uint8Array([1, 2]));
  });

  it.each(['length', 'byteLength', 'byteOffset'])('returns only bytes of the value, whatever its "%s"', (key) => {
    const result = Object.defineProperty(Buffer.of(1, 2), key, { value: 100_000 });
    expect(serializing(result)()).toStrictEqual(new Uint8Array([1, 2]));
  });

  it.each([
    ['a promise', () => Promise.reject(new Error('of no interest'))],
    ['a promise of another realm', () => runInNewContext('Promise.reject(new Error("of no interest"))')],
    ['a string', () => 'ab'],
    ['nothing', () => undefined],
  ])('refuses %s, and leaves no rejection unhandled', (_, create) => {
    expect(serializing(create())).toThrow(expect.objectContaining({ code: 'ERR_SINGLETON_UNENCODABLE' }));
  });
});
