import { describe, expect, it, vi } from 'vitest';
import { Subscribers } from '../../src/core/subscribers.ts';

const OVER = { value: undefined, done: true };

describe('Subscribers', () => {
  it('removes the observers and ends the iterators at the end', async () => {
    const subscribers = new Subscribers<string, unknown>(() => {});
    subscribers.observers.set(() => {}, []);
    const next = subscribers.iterate().next();
    subscribers.end();
    expect(subscribers.observers.size).toBe(0);
    expect(await next).toEqual(OVER);
  });

  it('reports that an iterator was created, waits for the next launch, and was left', async () => {
    const changed = vi.fn<() => void>();
    const subscribers = new Subscribers<string, unknown>(changed);
    const loop = subscribers.iterate();
    expect(changed).toHaveBeenCalledTimes(1);
    void loop.next();
    expect(changed).toHaveBeenCalledTimes(2);
    await loop.return();
    expect(changed).toHaveBeenCalledTimes(3);
    expect(subscribers.iterators.size).toBe(0);
  });
});
