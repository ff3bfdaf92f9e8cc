import { describe, expect, test } from 'vitest';
import { GrowingBuffer } from '../../src/protocol/growing-buffer.ts';

describe('GrowingBuffer', () => {
  test('keeps the bytes in order, and returns a view of their length', () => {
    const buffer = new GrowingBuffer();
    for (const text of ['one', '', 'two']) buffer.append(Buffer.from(text), 100);
    expect([buffer.length, String(Buffer.from(buffer.bytes))]).toStrictEqual([6, 'onetwo']);
  });

  test('returns bytes from take() that later appends do not change', () => {
    const buffer = new GrowingBuffer();
    buffer.append(Buffer.from('one'), 100);
    const taken = buffer.take();
    expect(buffer).toHaveLength(0);
    buffer.append(Buffer.from('two'), 100);
    expect([taken, buffer.take()].map((bytes) => String(Buffer.from(bytes)))).toStrictEqual(['one', 'two']);
  });

  test('drops the bytes and their memory in clear()', () => {
    const buffer = new GrowingBuffer();
    buffer.append(Buffer.alloc(1000), 1000);
    buffer.clear();
    expect([buffer.length, memoryOf(buffer)]).toStrictEqual([0, 0]);
  });

  test.each([1000, 1024, 1025])(
    'reaches a capacity of %i byte by byte in few steps, and never exceeds it',
    (capacity) => {
      const buffer = new GrowingBuffer();
      const sizes = new Set<number>();
      for (let count = 0; count < capacity; count += 1) {
        buffer.append(Uint8Array.of(count), capacity);
        sizes.add(memoryOf(buffer));
      }
      expect(sizes.size).toBeLessThanOrEqual(12);
      expect(Math.max(...sizes)).toBe(capacity);
      expect(buffer.bytes.every((byte, index) => byte === index % 256)).toBe(true);
    },
  );

  test('allocates no more than a chunk needs', () => {
    const buffer = new GrowingBuffer();
    buffer.append(Buffer.alloc(10), 1_000_000);
    expect(memoryOf(buffer)).toBe(10);
  });
});

function memoryOf({ bytes }: GrowingBuffer): number {
  return bytes.buffer.byteLength;
}
