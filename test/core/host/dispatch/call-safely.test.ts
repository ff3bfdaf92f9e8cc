import { describe, expect, it, vi } from 'vitest';
import { callSafely } from '../../../../src/core/host/dispatch/call-safely.ts';

const boom = new Error('boom');

describe('callSafely', () => {
  it('calls the listener with the target and the arguments', () => {
    const calls: unknown[] = [];
    const target = {};
    const listener = function (this: unknown, ...args: unknown[]): void {
      calls.push([this === target, ...args]);
    };
    expect(callSafely(listener, target, [1, 'b'], raise(boom))).toBe(true);
    expect(calls).toEqual([[true, 1, 'b']]);
  });

  it('reports what the listener throws, and returns false', () => {
    const onError = vi.fn<(cause: unknown) => void>();
    expect(callSafely(raise(boom), {}, [], onError)).toBe(false);
    expect(onError).toHaveBeenCalledExactlyOnceWith(boom);
  });

  it('reports what the listener rejects with, and resolves to false', async () => {
    const onError = vi.fn<(cause: unknown) => void>();
    expect(await callSafely(() => Promise.reject(boom), {}, [], onError)).toBe(false);
    expect(onError).toHaveBeenCalledExactlyOnceWith(boom);
  });

  it('resolves to true when the promise of the listener resolves', async () => {
    expect(await callSafely(() => Promise.resolve('done'), {}, [], raise(boom))).toBe(true);
  });

  it('waits for a promise with a "then" of its own, and for a function with one', async () => {
    const promise = withThen(Promise.resolve(), { value: (resolve: () => void) => resolve() });
    expect(await callSafely(() => promise, {}, [], raise(boom))).toBe(true);
    const onError = vi.fn<(cause: unknown) => void>();
    const rejecting = withThen(raise(boom), { value: (_: unknown, reject: (cause: Error) => void) => reject(boom) });
    expect(await callSafely(() => rejecting, {}, [], onError)).toBe(false);
    expect(onError).toHaveBeenCalledExactlyOnceWith(boom);
  });

  it('reports a result whose "then" throws', () => {
    const onError = vi.fn<(cause: unknown) => void>();
    const listener = (): unknown => withThen({}, { get: raise(boom) });
    expect(callSafely(listener, {}, [], onError)).toBe(false);
    expect(onError).toHaveBeenCalledExactlyOnceWith(boom);
  });
});

function raise(error: Error): () => never {
  return () => {
    throw error;
  };
}

/** What a listener may return. */
function withThen<Value extends object>(value: Value, then: PropertyDescriptor): Value {
  // oxlint-disable-next-line unicorn/no-thenable -- that is what is tested
  return Object.defineProperty(value, 'then', then);
}
