import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Attendance } from '../../src/core/attendance.ts';

function attend(): { readonly attendance: Attendance; readonly settled: boolean[] } {
  const settled: boolean[] = [];
  return { attendance: new Attendance((hasFailed) => settled.push(hasFailed)), settled };
}

it('settles when it is complete, where all work is done', () => {
  const { attendance, settled } = attend();
  attendance.add([true, true]);
  expect(settled).toEqual([]);
  attendance.complete();
  expect(settled).toEqual([false]);
});

it('settles without any work', () => {
  const { attendance, settled } = attend();
  attendance.complete();
  expect(settled).toEqual([false]);
});

it('waits for every promise, before and after it is complete', async () => {
  const { attendance, settled } = attend();
  const work = new AbortController();
  const finished = once(work.signal, 'abort').then(() => true);
  attendance.add([Promise.resolve(true), finished]);
  attendance.complete();
  await turn();
  expect(settled).toEqual([]);
  work.abort();
  await turn();
  expect(settled).toEqual([false]);
});

it.each([
  ['at once', [false, true]],
  ['later', [true, Promise.resolve(false), Promise.resolve(true)]],
])('has failed where one fails %s, and settles once', async (_, work) => {
  const { attendance, settled } = attend();
  attendance.add(work);
  attendance.complete();
  await turn();
  expect(settled).toEqual([true]);
});
