import { constants } from 'node:os';
import { describe, expect, it } from 'vitest';
import { json } from '../../../src/codecs/json.ts';
import { resolveOptions } from '../../../src/core/options/resolve-options.ts';
import { fromJavaScript, optionErrorMessage } from '../../helpers/javascript-caller.ts';

const waiting = { codec: json<readonly string[]>(), args: [], wait: true };

function ignore(): void {}

describe('the option forwardSignals', () => {
  it('has no signals by default, also without wait', () => {
    expect(resolveOptions({}).forwardSignals).toEqual([]);
    expect(resolveOptions({ forwardSignals: undefined }).forwardSignals).toEqual([]);
    expect(resolveOptions({ forwardSignals: [] }).forwardSignals).toEqual([]);
  });

  it('keeps each name once, in a copy that later changes do not reach', () => {
    const forwardSignals: NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGINT'];
    const resolved = resolveOptions({ ...waiting, forwardSignals });
    forwardSignals.push('SIGHUP');
    expect(resolved.forwardSignals).toEqual(['SIGINT', 'SIGTERM']);
  });

  it('accepts every signal of this system that a program can receive', () => {
    const names = Object.keys(constants.signals).filter((name) => name !== 'SIGKILL' && name !== 'SIGSTOP');
    const { forwardSignals } = resolveOptions(fromJavaScript({ ...waiting, forwardSignals: names }));
    expect(forwardSignals).toEqual(names);
    // So that a session cannot fail because of them.
    for (const name of forwardSignals) {
      expect(() => process.on(name, ignore)).not.toThrow();
      process.off(name, ignore);
    }
  });

  it.each([
    ['SIGINT', '"SIGINT" (string)'],
    [{ 0: 'SIGINT' }, 'a value of type object'],
    [null, 'null'],
  ])('refuses %j, which is no array', (forwardSignals, got) => {
    expect(optionErrorMessage({ ...waiting, forwardSignals })).toBe(
      `Option "forwardSignals": expected an array of names of signals, got ${got}.`,
    );
  });

  it.each([
    ['SIGKILL', '"SIGKILL" (string)'],
    ['SIGSTOP', '"SIGSTOP" (string)'],
    ['SIGFOO', '"SIGFOO" (string)'],
    ['sigint', '"sigint" (string)'],
    ['toString', '"toString" (string)'],
    [2, '2 (number)'],
    [undefined, 'undefined'],
  ])('refuses the name %j', (name, got) => {
    expect(optionErrorMessage({ ...waiting, forwardSignals: ['SIGINT', name] })).toBe(
      `Option "forwardSignals": expected names of signals that this system has and a program can receive, got ${got}.`,
    );
  });

  it.each([{ codec: json() }, {}])('needs a launch that waits', (options) => {
    expect(optionErrorMessage({ ...options, args: [], forwardSignals: ['SIGINT'] })).toContain(
      'Option "forwardSignals": expected no names without wait',
    );
  });
});
