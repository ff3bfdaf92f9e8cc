import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { begin } from '../helpers/acquire.ts';
import { at } from '../helpers/scripted-transport.ts';

let over = new AbortController();

beforeEach(() => {
  over = new AbortController();
  vi.spyOn(Math, 'random').mockReturnValue(1);
});

afterEach(() => {
  vi.restoreAllMocks();
  expect(getEventListeners(over.signal, 'abort')).toHaveLength(0);
});

it('a signal that is aborted beforehand is RELEASED, and nothing is tried', async () => {
  over.abort('enough');
  const { transport, result } = begin({}, {}, over);
  await expect(result).rejects.toMatchObject({ code: 'ERR_SINGLETON_RELEASED', cause: 'enough' });
  expect(transport.steps).toEqual([]);
});

it.each([
  ['listen', 'silent', ['listen']],
  ['connect', 'hanging', ['listen', 'connect']],
  ['hand-off', 'silent', ['listen', 'connect', 'hand-off']],
] as const)('an abort at the %s is RELEASED with the reason as the cause', async (step, connect, steps) => {
  const reason = new Error('enough');
  const onStep = at(step, () => over.abort(reason));
  const { transport, result } = begin({ listen: ['taken'], connect: [connect], onStep }, {}, over);
  await expect(result).rejects.toMatchObject({ code: 'ERR_SINGLETON_RELEASED', cause: reason });
  expect(transport.steps).toEqual(steps);
  expect(transport.connections.every(({ destroyed }) => destroyed)).toBe(true);
});

it('an abort in the pause between two tries is RELEASED with the reason as the cause', async () => {
  const onStep = at('connect', () => setImmediate(() => over.abort('enough')));
  const { transport, result } = begin({ listen: ['taken'], connect: ['nobody'], onStep }, {}, over);
  await expect(result).rejects.toMatchObject({ code: 'ERR_SINGLETON_RELEASED', cause: 'enough' });
  expect(transport.steps).toEqual(['listen', 'connect']);
});
