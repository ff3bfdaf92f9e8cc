import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Completion } from '../../../src/core/host/completion.ts';

/** An attendance, and what it told last. */
function attend(): { readonly attendance: Completion; readonly told: Record<string, unknown> } {
  const told: Record<string, unknown> = {};
  const attendance = new Completion(({ called, pending, hasFailed, allCalled }) => {
    Object.assign(told, { given: called, atWork: pending, hasFailed, isComplete: allCalled });
  });
  return { attendance, told };
}

it('counts who was given the launch, and tells when nobody else will be', () => {
  const { attendance, told } = attend();
  attendance.call(() => [true, true]);
  expect(told).toEqual({ given: 2, atWork: 0, hasFailed: false, isComplete: false });
  attendance.finishCalling();
  expect(told).toEqual({ given: 2, atWork: 0, hasFailed: false, isComplete: true });
});

it('tells that nobody was', () => {
  const { attendance, told } = attend();
  attendance.finishCalling();
  expect(told).toEqual({ given: 0, atWork: 0, hasFailed: false, isComplete: true });
});

it('tells of every promise that settles', async () => {
  const { attendance, told } = attend();
  const work = new AbortController();
  const finished = once(work.signal, 'abort').then(() => true);
  attendance.call(() => [Promise.resolve(true), finished]);
  attendance.finishCalling();
  expect(told).toMatchObject({ atWork: 2 });
  await turn();
  expect(told).toMatchObject({ atWork: 1 });
  work.abort();
  await turn();
  expect(told).toEqual({ given: 2, atWork: 0, hasFailed: false, isComplete: true });
});

it.each([
  ['at once', [false, true]],
  ['later', [true, Promise.resolve(false), Promise.resolve(true)]],
])('has failed where one fails %s', async (_, work) => {
  const { attendance, told } = attend();
  attendance.call(() => work);
  await turn();
  expect(told).toMatchObject({ given: work.length, atWork: 0, hasFailed: true });
});
