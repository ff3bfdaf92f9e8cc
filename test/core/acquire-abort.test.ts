import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { startAcquire } from '../helpers/acquire.ts';
import { at } from '../helpers/scripted-transport.ts';

let controller = new AbortController();

beforeEach(() => {
  controller = new AbortController();
  vi.spyOn(Math, 'random').mockReturnValue(1);
});

afterEach(() => {
  vi.restoreAllMocks();
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
});

describe('acquire', () => {
  it('rejects with RELEASED without a step when the signal was aborted before', async () => {
    controller.abort('enough');
    const { transport, result } = startAcquire({}, {}, controller);
    await expect(result).rejects.toMatchObject({ code: 'ERR_SINGLETON_RELEASED', cause: 'enough' });
    expect(transport.steps).toEqual([]);
  });

  it.each([
    ['listen', 'silent', ['listen']],
    ['connect', 'hanging', ['listen', 'connect']],
    ['deliver', 'silent', ['listen', 'connect', 'deliver']],
  ] as const)(
    'rejects with RELEASED and the reason as the cause when it is aborted at the %s',
    async (step, connect, steps) => {
      const reason = new Error('enough');
      const onStep = at(step, () => controller.abort(reason));
      const { transport, result } = startAcquire({ listen: ['taken'], connect: [connect], onStep }, {}, controller);
      await expect(result).rejects.toMatchObject({ code: 'ERR_SINGLETON_RELEASED', cause: reason });
      expect(transport.steps).toEqual(steps);
      expect(transport.connections.every(({ destroyed }) => destroyed)).toBe(true);
    },
  );

  it('rejects with RELEASED and the reason as the cause when it is aborted between two attempts', async () => {
    const onStep = at('connect', () => setImmediate(() => controller.abort('enough')));
    const { transport, result } = startAcquire({ listen: ['taken'], connect: ['no-host'], onStep }, {}, controller);
    await expect(result).rejects.toMatchObject({ code: 'ERR_SINGLETON_RELEASED', cause: 'enough' });
    expect(transport.steps).toEqual(['listen', 'connect']);
  });
});
