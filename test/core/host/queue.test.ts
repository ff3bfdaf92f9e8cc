import { expect, it } from 'vitest';
import { LaunchQueue } from '../../../src/core/host/queue.ts';

it('entries are taken in the order in which they were put', () => {
  const inbox = new LaunchQueue<{ readonly args: string }>({ maxPending: 3, maxMessageBytes: 100 });
  for (const entry of ['a', 'b', 'c']) inbox.enqueue({ args: entry }, 1);
  expect([inbox.dequeue(), inbox.dequeue(), inbox.dequeue()]).toEqual([{ args: 'a' }, { args: 'b' }, { args: 'c' }]);
});

it('an empty inbox gives undefined', () => {
  const inbox = new LaunchQueue<{ readonly args: string }>({ maxPending: 1, maxMessageBytes: 100 });
  expect(inbox.dequeue()).toBeUndefined();
  inbox.enqueue({ args: 'a' }, 1);
  inbox.dequeue();
  expect(inbox.dequeue()).toBeUndefined();
});

it('a full inbox refuses an entry and keeps those that it has', () => {
  const inbox = new LaunchQueue<{ readonly args: string }>({ maxPending: 2, maxMessageBytes: 100 });
  expect([inbox.enqueue({ args: 'a' }, 1), inbox.enqueue({ args: 'b' }, 1), inbox.enqueue({ args: 'c' }, 1)]).toEqual([
    true,
    true,
    false,
  ]);
  expect(inbox.entries).toEqual([{ args: 'a' }, { args: 'b' }]);
});

it('an inbox has room again after a take', () => {
  const inbox = new LaunchQueue<{ readonly args: string }>({ maxPending: 1, maxMessageBytes: 100 });
  inbox.enqueue({ args: 'a' }, 1);
  inbox.dequeue();
  expect(inbox.enqueue({ args: 'b' }, 1)).toBe(true);
  expect(inbox.entries).toEqual([{ args: 'b' }]);
});

it('reading the entries takes none', () => {
  const inbox = new LaunchQueue<{ readonly args: string }>({ maxPending: 1, maxMessageBytes: 100 });
  inbox.enqueue({ args: 'a' }, 1);
  expect(inbox.entries).toEqual([{ args: 'a' }]);
  expect(inbox.dequeue()).toEqual({ args: 'a' });
});

it('entries together have at most the bytes of 16 messages of the largest size', () => {
  const inbox = new LaunchQueue<{ readonly args: string }>({ maxPending: 100, maxMessageBytes: 100 });
  expect([
    inbox.enqueue({ args: 'a' }, 1500),
    inbox.enqueue({ args: 'b' }, 110),
    inbox.enqueue({ args: 'c' }, 100),
  ]).toEqual([true, false, true]);
  expect(inbox.entries).toEqual([{ args: 'a' }, { args: 'c' }]);
});

it('a take gives the bytes of its entry back', () => {
  const inbox = new LaunchQueue<{ readonly args: string }>({ maxPending: 100, maxMessageBytes: 100 });
  inbox.enqueue({ args: 'a' }, 1600);
  expect(inbox.enqueue({ args: 'b' }, 1)).toBe(false);
  inbox.dequeue();
  expect(inbox.enqueue({ args: 'b' }, 1600)).toBe(true);
  expect(inbox.size).toBe(1);
});

it('values count, however few their bytes on the wire are', () => {
  const inbox = new LaunchQueue<{ readonly args: unknown }>({ maxPending: 100, maxMessageBytes: 100 });
  const many = Array.from({ length: 98 }, () => []);
  expect([inbox.enqueue({ args: many }, 100), inbox.enqueue({ args: [] }, 1), inbox.enqueue({ args: [] }, 1)]).toEqual([
    true,
    true,
    false,
  ]);
});
