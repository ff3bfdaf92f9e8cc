import { describe, expect, it } from 'vitest';
import { LaunchQueue } from '../../../../src/core/host/dispatch/queue.ts';

describe('LaunchQueue', () => {
  it('dequeues entries in order', () => {
    const queue = new LaunchQueue<{ readonly args: string }>({ maxPending: 3, maxMessageBytes: 100 });
    for (const entry of ['a', 'b', 'c']) queue.enqueue({ args: entry }, 1);
    expect([queue.dequeue(), queue.dequeue(), queue.dequeue()]).toEqual([{ args: 'a' }, { args: 'b' }, { args: 'c' }]);
  });

  it('returns undefined when it is empty', () => {
    const queue = new LaunchQueue<{ readonly args: string }>({ maxPending: 1, maxMessageBytes: 100 });
    expect(queue.dequeue()).toBeUndefined();
    queue.enqueue({ args: 'a' }, 1);
    queue.dequeue();
    expect(queue.dequeue()).toBeUndefined();
  });

  it('refuses an entry when it is full, and keeps the others', () => {
    const queue = new LaunchQueue<{ readonly args: string }>({ maxPending: 2, maxMessageBytes: 100 });
    expect([queue.enqueue({ args: 'a' }, 1), queue.enqueue({ args: 'b' }, 1), queue.enqueue({ args: 'c' }, 1)]).toEqual(
      [true, true, false],
    );
    expect(queue.entries).toEqual([{ args: 'a' }, { args: 'b' }]);
  });

  it('has room again after a dequeue', () => {
    const queue = new LaunchQueue<{ readonly args: string }>({ maxPending: 1, maxMessageBytes: 100 });
    queue.enqueue({ args: 'a' }, 1);
    queue.dequeue();
    expect(queue.enqueue({ args: 'b' }, 1)).toBe(true);
    expect(queue.entries).toEqual([{ args: 'b' }]);
  });

  it('keeps the entries when they are read', () => {
    const queue = new LaunchQueue<{ readonly args: string }>({ maxPending: 1, maxMessageBytes: 100 });
    queue.enqueue({ args: 'a' }, 1);
    expect(queue.entries).toEqual([{ args: 'a' }]);
    expect(queue.dequeue()).toEqual({ args: 'a' });
  });

  it('holds at most the bytes of 16 messages of the largest size', () => {
    const queue = new LaunchQueue<{ readonly args: string }>({ maxPending: 100, maxMessageBytes: 100 });
    expect([
      queue.enqueue({ args: 'a' }, 1500),
      queue.enqueue({ args: 'b' }, 110),
      queue.enqueue({ args: 'c' }, 100),
    ]).toEqual([true, false, true]);
    expect(queue.entries).toEqual([{ args: 'a' }, { args: 'c' }]);
  });

  it('has room for the bytes of a dequeued entry', () => {
    const queue = new LaunchQueue<{ readonly args: string }>({ maxPending: 100, maxMessageBytes: 100 });
    queue.enqueue({ args: 'a' }, 1600);
    expect(queue.enqueue({ args: 'b' }, 1)).toBe(false);
    queue.dequeue();
    expect(queue.enqueue({ args: 'b' }, 1600)).toBe(true);
    expect(queue.size).toBe(1);
  });

  it('counts values, however few their bytes on the wire are', () => {
    const queue = new LaunchQueue<{ readonly args: unknown }>({ maxPending: 100, maxMessageBytes: 100 });
    const many = Array.from({ length: 98 }, () => []);
    expect([
      queue.enqueue({ args: many }, 100),
      queue.enqueue({ args: [] }, 1),
      queue.enqueue({ args: [] }, 1),
    ]).toEqual([true, true, false]);
  });
});
