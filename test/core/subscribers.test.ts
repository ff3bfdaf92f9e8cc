import { expect, it, vi } from 'vitest';
import { Dispatcher } from '../../src/core/host/dispatcher.ts';
import { Subscribers } from '../../src/core/subscribers.ts';

const OVER = { value: undefined, done: true };

it('the end takes the observers off and ends the loops', async () => {
  const audience = new Subscribers<string, unknown>(() => {});
  audience.observers.set(() => {}, []);
  const next = audience.iterate().next();
  audience.end();
  expect(audience.observers.size).toBe(0);
  expect(await next).toEqual(OVER);
});

it('a publisher that ends takes the observers off, although loops still have launches to come', () => {
  const audience = new Subscribers<string, unknown>(() => {});
  const listeners = { exist: () => false, call: () => [], warn: () => {} };
  const publisher = new Dispatcher({ maxPending: 1, maxMessageBytes: 1 }, audience, listeners);
  audience.observers.set(() => {}, []);
  publisher.end();
  expect(audience.observers.size).toBe(0);
});

it('tells that a loop began, waits for the next, and was left', async () => {
  const changed = vi.fn<() => void>();
  const audience = new Subscribers<string, unknown>(changed);
  const loop = audience.iterate();
  expect(changed).toHaveBeenCalledTimes(1);
  void loop.next();
  expect(changed).toHaveBeenCalledTimes(2);
  await loop.return();
  expect(changed).toHaveBeenCalledTimes(3);
  expect(audience.iterators.size).toBe(0);
});
