import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { invalidOptionError, MultipleSingletonsError, SingletonError } from '../../src/interface/errors.ts';

describe('SingletonError', () => {
  const cause = new Error('below');
  const error = new SingletonError('ERR_SINGLETON_BUSY', 'Too many.', { cause });

  it('has a code, a message and a cause, and inherits from Error', () => {
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ code: 'ERR_SINGLETON_BUSY', message: 'Too many.', cause });
  });

  it('has its name on the prototype and not on itself', () => {
    expect(error.name).toBe('SingletonError');
    expect(Object.hasOwn(error, 'name')).toBe(false);
    expect(Object.hasOwn(SingletonError.prototype, 'name')).toBe(true);
  });

  it('has no own cause if none was given', () => {
    expect(Object.hasOwn(new SingletonError('ERR_SINGLETON_BUSY', 'Too many.'), 'cause')).toBe(false);
  });

  it('prints its name, message, code and cause', () => {
    expect(error.stack).toMatch(/^SingletonError: Too many\./);
    expect(inspect(error)).toMatch(/SingletonError: Too many\.[^]*code: 'ERR_SINGLETON_BUSY'[^]*below/);
  });
});

describe('MultipleSingletonsError', () => {
  const receipt = { outcome: 'throttled' } as const;
  const error = new MultipleSingletonsError('tcp://127.0.0.1:1337', receipt);

  it('inherits from SingletonError and has the code of a launch that found a host', () => {
    expect(error).toBeInstanceOf(SingletonError);
    expect(error.code).toBe('ERR_SINGLETON_ALREADY_RUNNING');
  });

  it('has its own name on the prototype', () => {
    expect(error.name).toBe('MultipleSingletonsError');
    expect(Object.hasOwn(error, 'name')).toBe(false);
    expect(SingletonError.prototype.name).toBe('SingletonError');
  });

  it('carries the receipt, and names the endpoint and the outcome', () => {
    expect(error.receipt).toBe(receipt);
    expect(error.message).toBe(
      'Another process is the host at tcp://127.0.0.1:1337. The outcome of this launch is "throttled".',
    );
  });
});

describe('invalidOptionError', () => {
  it.each([
    ['1', '"1" (string)'],
    ['"\n', String.raw`"\"\n" (string)`],
    ['x'.repeat(60), `"${'x'.repeat(60)}" (string)`],
    ['x'.repeat(61), `"${'x'.repeat(60)}…" (string)`],
    [1.5, '1.5 (number)'],
    [Number.NaN, 'NaN (number)'],
    [true, 'true (boolean)'],
    [null, 'null'],
    [undefined, 'undefined'],
    [() => {}, 'a function'],
    [[1, 2], 'an array of 2'],
    [{}, 'a value of type object'],
    [1n, 'a value of type bigint'],
    [Symbol('s'), 'a value of type symbol'],
  ])('names the option, what is allowed and the value: %o', (value, described) => {
    const error = invalidOptionError('port', 'a number', value);
    expect(error).toBeInstanceOf(SingletonError);
    expect(error.code).toBe('ERR_SINGLETON_INVALID_OPTION');
    expect(error.message).toBe(`Option "port": expected a number, got ${described}.`);
  });
});
