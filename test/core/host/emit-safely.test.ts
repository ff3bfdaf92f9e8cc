import { EventEmitter } from 'node:events';
import { expect, it, vi } from 'vitest';
import { TypedEmitter } from '../../../src/core/emitter.ts';
import { emitSafely } from '../../../src/core/host/emit-safely.ts';
import { uncaughtErrorsOf } from '../../helpers/uncaught.ts';

type Listener = (...args: never[]) => void;

it('extends the EventEmitter of Node', () => {
  expect(new TypedEmitter()).toBeInstanceOf(EventEmitter);
});

it('calls every listener in order, with the target and the arguments', () => {
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

it('calls the listeners after one that throws, without an exception for the caller', async () => {
  const after = vi.fn<Listener>();
  const boom = new Error('boom');
  const errors = await uncaughtErrorsOf(() => {
    emitSafely([raise(boom), after], {}, []);
    expect(after).toHaveBeenCalledOnce();
  });
  expect(errors).toEqual([boom]);
});

it('turns each error of several listeners into an uncaught exception', async () => {
  const [first, second] = [new Error('first'), new Error('second')];
  const errors = await uncaughtErrorsOf(() => emitSafely([raise(first), raise(second)], {}, []));
  expect(errors).toEqual([first, second]);
});

function raise(error: Error): Listener {
  return () => {
    throw error;
  };
}
