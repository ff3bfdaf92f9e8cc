import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Expiry } from '../../../src/core/host/expiry.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

/** Entries that have 100 ms, and those whose time was over. */
function hundred(): { readonly entries: Expiry<string>; readonly expired: readonly string[] } {
  const expired: string[] = [];
  return { entries: new Expiry<string>(100, (entry) => expired.push(entry)), expired };
}

it('tells of each when its time is over, and not before', () => {
  const { entries, expired } = hundred();
  entries.add('a');
  vi.advanceTimersByTime(60);
  entries.add('b');
  vi.advanceTimersByTime(39);
  expect(expired).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(expired).toEqual(['a']);
  vi.advanceTimersByTime(59);
  expect(expired).toEqual(['a']);
  vi.advanceTimersByTime(1);
  expect(expired).toEqual(['a', 'b']);
});

it('has them in the order in which they came, until they are deleted', () => {
  const { entries, expired } = hundred();
  for (const entry of ['a', 'b', 'c']) entries.add(entry);
  entries.delete('b');
  expect([entries.size, ...entries]).toEqual([2, 'a', 'c']);
  vi.advanceTimersByTime(100);
  expect(expired).toEqual(['a', 'c']);
  expect([entries.size, ...entries]).toEqual([2, 'a', 'c']);
});

it('needs one timer for all, and none for nothing', () => {
  const { entries } = hundred();
  for (const entry of ['a', 'b', 'c']) entries.add(entry);
  expect(vi.getTimerCount()).toBe(1);
  for (const entry of ['a', 'b', 'c']) entries.delete(entry);
  expect(vi.getTimerCount()).toBe(0);
  entries.add('d');
  vi.advanceTimersByTime(100);
  expect(vi.getTimerCount()).toBe(0);
});
