import { expect, it } from 'vitest';
import { Inbox } from '../../src/core/inbox.ts';

it('entries are taken in the order in which they were put', () => {
  const inbox = new Inbox<string>(3);
  for (const entry of ['a', 'b', 'c']) inbox.put(entry);
  expect([inbox.take(), inbox.take(), inbox.take()]).toEqual(['a', 'b', 'c']);
});

it('an empty inbox gives undefined', () => {
  const inbox = new Inbox<string>(1);
  expect(inbox.take()).toBeUndefined();
  inbox.put('a');
  inbox.take();
  expect(inbox.take()).toBeUndefined();
});

it('a full inbox refuses an entry and keeps those that it has', () => {
  const inbox = new Inbox<string>(2);
  expect([inbox.put('a'), inbox.put('b'), inbox.put('c')]).toEqual([true, true, false]);
  expect(inbox.entries).toEqual(['a', 'b']);
});

it('an inbox has room again after a take', () => {
  const inbox = new Inbox<string>(1);
  inbox.put('a');
  inbox.take();
  expect(inbox.put('b')).toBe(true);
  expect(inbox.entries).toEqual(['b']);
});

it('reading the entries takes none', () => {
  const inbox = new Inbox<string>(1);
  inbox.put('a');
  expect(inbox.entries).toEqual(['a']);
  expect(inbox.take()).toBe('a');
});
