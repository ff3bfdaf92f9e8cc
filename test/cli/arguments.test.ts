import { describe, expect, it } from 'vitest';
import { exitStatus, milliseconds, oneOperand } from '../../src/cli/arguments.ts';
import { UsageError } from '../../src/cli/command.ts';

describe('milliseconds()', () => {
  it('is undefined without the option, and true without a value', () => {
    expect(milliseconds('wait', undefined)).toBeUndefined();
    expect(milliseconds('wait', true)).toBe(true);
  });

  it.each([
    ['1', 1000],
    ['0.25', 250],
    ['.0001', 1],
    ['2147483', 2_147_483_000],
  ])('takes %j seconds', (seconds, expected) => {
    expect(milliseconds('wait', seconds)).toBe(expected);
  });

  it.each(['', '0', '-1', '1e3', '1.2.3', 'x', '2147484', 'Infinity', ' 1'])('refuses %j', (seconds) => {
    expect(() => milliseconds('wait', seconds)).toThrow(UsageError);
  });
});

describe('exitStatus()', () => {
  it('is 0 without the option', () => {
    expect(exitStatus('status', undefined)).toBe(0);
  });

  it.each(['0', '75', '255'])('takes %j', (value) => {
    expect(exitStatus('status', value)).toBe(Number(value));
  });

  it.each(['', '256', '-1', '1.5', '0x1', '0001', true] as const)('refuses %j', (value) => {
    expect(() => exitStatus('status', value)).toThrow(UsageError);
  });
});

describe('oneOperand()', () => {
  it('refuses none and two', () => {
    expect(oneOperand(['a'], 'ENDPOINT')).toBe('a');
    expect(() => oneOperand([], 'ENDPOINT')).toThrow('ENDPOINT is missing.');
    expect(() => oneOperand(['a', 'b'], 'ENDPOINT')).toThrow('"b" is not expected after ENDPOINT.');
  });
});
