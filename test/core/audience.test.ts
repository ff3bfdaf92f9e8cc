import { expect, it, vi } from 'vitest';
import { Publisher } from '../../src/core/host/dispatcher.ts';
import { Audience } from '../../src/core/subscribers.ts';

const OVER = { value: undefined, done: true };

it('the end takes the observers off and ends the loops', async () => {
  const audience = new Audience<string, unknown>(() => {});
  audience.observers.set(() => {}, []);
  const next = audience.loop().next();
  audience.end();
  expect(audience.observers.size).toBe(0);
  expect(await next).toEqual(OVER);
});

it('a publisher that ends takes the observers off, although loops still have launches to come', () => {
  const audience = new Audience<string, unknown>(() => {});
  const listeners = { exist: () => false, call: () => [], warn: () => {} };
  const publisher = new Publisher({ maxPending: 1, maxMessageBytes: 1 }, audience, listeners);
  audience.observers.set(() => {}, []);
  publisher.end();
  expect(audience.observers.size).toBe(0);
});

it('tells that a loop began, waits for the next, and was left', async () => {
  const changed = vi.fn<() => void>();
  const audience = new Audience<string, unknown>(changed);
  const loop = audience.loop();
  expect(changed).toHaveBeenCalledTimes(1);
  void loop.next();
  expect(changed).toHaveBeenCalledTimes(2);
  await loop.return();
  expect(changed).toHaveBeenCalledTimes(3);
  expect(audience.loops.size).toBe(0);
});
