import { EventEmitter } from 'node:events';
import { expect, it, vi } from 'vitest';
import { TypedEmitter } from '../../../src/core/events.ts';
import { emitSafely } from '../../../src/core/host/emit-safely.ts';
import { uncaughtDuring } from '../../helpers/uncaught.ts';

type Listener = (...args: never[]) => void;

it('TypedEmitter is the EventEmitter of Node', () => {
  expect(new TypedEmitter()).toBeInstanceOf(EventEmitter);
});

it('every listener is called in order, with the target and the arguments', () => {
  const calls: unknown[] = [];
  const target = {};
  const listener = function (this: unknown, ...args: unknown[]): void {
    calls.push([this === target, ...args]);
  };
  emitSafely([listener, (...args) => calls.push(args)], target, [1, 'b']);
  expect(calls).toEqual([
    [true, 1, 'b'],
    [1, 'b'],
  ]);
});

it('the listeners after one that throws are called, and the caller sees no exception', async () => {
  const after = vi.fn<Listener>();
  const boom = new Error('boom');
  const errors = await uncaughtDuring(() => {
    emitSafely([raise(boom), after], {}, []);
    expect(after).toHaveBeenCalledOnce();
  });
  expect(errors).toEqual([boom]);
});

it('each error of several listeners becomes an uncaught exception of its own', async () => {
  const [first, second] = [new Error('first'), new Error('second')];
  const errors = await uncaughtDuring(() => emitSafely([raise(first), raise(second)], {}, []));
  expect(errors).toEqual([first, second]);
});

function raise(error: Error): Listener {
  return () => {
    throw error;
  };
}
