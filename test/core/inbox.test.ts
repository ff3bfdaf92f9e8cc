import { expect, it } from 'vitest';
import { Inbox } from '../../src/core/inbox.ts';

it('entries are taken in the order in which they were put', () => {
  const inbox = new Inbox<string>({ maxPending: 3, maxMessageBytes: 1 });
  for (const entry of ['a', 'b', 'c']) inbox.put(entry, 1);
  expect([inbox.take(), inbox.take(), inbox.take()]).toEqual(['a', 'b', 'c']);
});

it('an empty inbox gives undefined', () => {
  const inbox = new Inbox<string>({ maxPending: 1, maxMessageBytes: 1 });
  expect(inbox.take()).toBeUndefined();
  inbox.put('a', 1);
  inbox.take();
  expect(inbox.take()).toBeUndefined();
});

it('a full inbox refuses an entry and keeps those that it has', () => {
  const inbox = new Inbox<string>({ maxPending: 2, maxMessageBytes: 1 });
  expect([inbox.put('a', 1), inbox.put('b', 1), inbox.put('c', 1)]).toEqual([true, true, false]);
  expect(inbox.entries).toEqual(['a', 'b']);
});

it('an inbox has room again after a take', () => {
  const inbox = new Inbox<string>({ maxPending: 1, maxMessageBytes: 1 });
  inbox.put('a', 1);
  inbox.take();
  expect(inbox.put('b', 1)).toBe(true);
  expect(inbox.entries).toEqual(['b']);
});

it('reading the entries takes none', () => {
  const inbox = new Inbox<string>({ maxPending: 1, maxMessageBytes: 1 });
  inbox.put('a', 1);
  expect(inbox.entries).toEqual(['a']);
  expect(inbox.take()).toBe('a');
});

it('entries together have at most the bytes of 16 messages of the largest size', () => {
  const inbox = new Inbox<string>({ maxPending: 100, maxMessageBytes: 10 });
  expect([inbox.put('a', 150), inbox.put('b', 11), inbox.put('c', 10)]).toEqual([true, false, true]);
  expect(inbox.entries).toEqual(['a', 'c']);
});

it('a take gives the bytes of its entry back', () => {
  const inbox = new Inbox<string>({ maxPending: 100, maxMessageBytes: 10 });
  inbox.put('a', 160);
  expect(inbox.put('b', 1)).toBe(false);
  inbox.take();
  expect(inbox.put('b', 160)).toBe(true);
  expect(inbox.size).toBe(1);
});
