import { afterEach, describe, expect, it, vi } from 'vitest';
import { json } from '../../../src/codecs/json.ts';
import type { ResolvedOptions } from '../../../src/core/options/resolved-options.ts';
import { resolveOptions } from '../../../src/core/options/resolve-options.ts';
import { legacy } from '../../../src/index.ts';
import { fromJavaScript, optionErrorMessage } from '../../helpers/javascript-caller.ts';

type Strings = readonly string[];

afterEach(() => {
  vi.restoreAllMocks();
});

const MAX_TIMER = 2 ** 31 - 1;
const MAX_INTEGER = Number.MAX_SAFE_INTEGER;

describe.each([
  { name: 'timeout', defaultValue: 0, min: 0, max: MAX_TIMER },
  { name: 'releaseThreshold', defaultValue: 0, min: 0, max: MAX_INTEGER },
  { name: 'maxClients', defaultValue: 0, min: 0, max: MAX_INTEGER },
  { name: 'deliveryTimeout', defaultValue: 10_000, min: 1, max: MAX_TIMER },
  { name: 'receiveTimeout', defaultValue: 5000, min: 1, max: MAX_TIMER },
  { name: 'maxMessageBytes', defaultValue: 1_048_576, min: 1, max: 2 ** 32 - 1 },
  { name: 'maxConnections', defaultValue: 512, min: 1, max: MAX_INTEGER },
  { name: 'maxPending', defaultValue: 1024, min: 1, max: MAX_INTEGER },
  { name: 'exitCode', defaultValue: 0, min: 0, max: 255 },
] as const)('the option $name', ({ name, defaultValue, min, max }) => {
  it('defaults to its documented value if it is absent or undefined', () => {
    expect(resolveOptions({})[name]).toBe(defaultValue);
    expect(resolveOptions({ [name]: undefined })[name]).toBe(defaultValue);
  });

  it.each([min, min + 1, max - 1, max])('accepts %d', (value) => {
    expect(resolveOptions({ [name]: value })[name]).toBe(value);
  });

  it.each([
    [min - 1, `${min - 1} (number)`],
    [max + 1, `${max + 1} (number)`],
    [1.5, '1.5 (number)'],
    [Number.NaN, 'NaN (number)'],
    [Infinity, 'Infinity (number)'],
    ['1', '"1" (string)'],
    [1n, 'a value of type bigint'],
    [true, 'true (boolean)'],
    [null, 'null'],
    [[1], 'an array of 1'],
    [{ valueOf: () => 1 }, 'a value of type object'],
  ])('refuses %s', (value, described) => {
    expect(optionErrorMessage({ [name]: value })).toBe(
      `Option "${name}": expected an integer from ${min} to ${max}, got ${described}.`,
    );
  });
});

describe.each([
  { name: 'client', defaultValue: true },
  { name: 'strict', defaultValue: true },
  { name: 'verbose', defaultValue: false },
] as const)('the option $name', ({ name, defaultValue }) => {
  it('defaults to its documented value if it is absent or undefined', () => {
    expect(resolveOptions({})[name]).toBe(defaultValue);
    expect(resolveOptions({ [name]: undefined })[name]).toBe(defaultValue);
  });

  it.each([true, false])('accepts %s', (value) => {
    expect(resolveOptions({ [name]: value })[name]).toBe(value);
  });

  it.each([
    [0, '0 (number)'],
    ['false', '"false" (string)'],
    [null, 'null'],
  ])('refuses %j', (value, described) => {
    expect(optionErrorMessage({ [name]: value })).toBe(`Option "${name}": expected a boolean, got ${described}.`);
  });
});

describe('the option exitCode', () => {
  const codec = json<readonly string[]>();

  it.each([true, 5])('is refused beside wait: %s, which the message names', (wait) => {
    for (const exitCode of [0, 75, '75'])
      expect(optionErrorMessage({ codec, args: [], wait, exitCode })).toMatch(
        /^Option "exitCode": expected nothing beside wait, which exits with the status of the host, got "?\d+"? \(/,
      );
  });

  it('is refused beside strict: false, which the message names', () => {
    expect(optionErrorMessage({ strict: false, exitCode: 75 })).toBe(
      'Option "exitCode": expected nothing beside strict: false, which does not exit, got 75 (number).',
    );
  });

  it('is accepted beside client: false, and undefined beside each option', () => {
    expect(resolveOptions({ client: false, exitCode: 75 }).exitCode).toBe(75);
    expect(resolveOptions({ codec, args: [], client: false, self: true, wait: true, exitCode: 75 }).exitCode).toBe(75);
    expect(resolveOptions({ strict: false, exitCode: undefined }).exitCode).toBe(0);
    expect(resolveOptions({ codec, args: [], wait: true, exitCode: undefined }).exitCode).toBe(0);
    expect(resolveOptions({ codec, args: [], wait: false, exitCode: 75 }).exitCode).toBe(75);
  });
});

describe('the option codec', () => {
  it('defaults to the legacy codec if it is absent or undefined', () => {
    expect(resolveOptions({}).codec.name).toBe('legacy');
    expect(resolveOptions({ codec: undefined }).codec.name).toBe('legacy');
  });

  it('keeps the codec that is given, which receives the arguments and the secret as bytes', () => {
    const check = vi.fn<(options: object) => undefined>();
    const codec = { ...legacy(), check };
    expect(resolveOptions({ codec, args: ['a'], secret: 'é' }).codec).toBe(codec);
    expect(check).toHaveBeenCalledExactlyOnceWith({
      args: ['a'],
      secret: new Uint8Array([0xc3, 0xa9]),
      name: '',
      wait: false,
      replace: false,
      hasEnv: false,
      allowReplace: false,
      isFirst: true,
      reach: 'machine',
      maxMessageBytes: 1_048_576,
    });
  });

  it('accepts a codec without a check', () => {
    const { name, protocol } = legacy();
    expect(resolveOptions({ codec: { name, protocol }, args: ['a'] }).args).toEqual(['a']);
  });

  it.each([
    ['legacy', '"legacy" (string)'],
    [{}, 'a value of type object'],
    [{ name: 'no inbound', protocol: { outbound: () => {} } }, 'a value of type object'],
    [legacy, 'a function'],
    [0, '0 (number)'],
  ])('refuses %s', (value, described) => {
    expect(optionErrorMessage({ codec: value })).toBe(
      `Option "codec": expected a codec, such as legacy(), got ${described}.`,
    );
  });
});

describe('the option args', () => {
  it('defaults to the command line after the program if it is absent or undefined', () => {
    vi.spyOn(process, 'argv', 'get').mockReturnValue(['node', 'app.js', 'a', '--b']);
    vi.spyOn(process, 'execArgv', 'get').mockReturnValue(['--no-warnings']);
    expect(resolveOptions({}).args).toEqual(['a', '--b']);
    expect(resolveOptions({ args: undefined }).args).toEqual(['a', '--b']);
  });

  it('copies a list of strings, so that a later change does not reach it', () => {
    const args = ['a', 'b'];
    const resolved = resolveOptions<Strings>({ args });
    args.length = 0;
    expect(resolved.args).toEqual(['a', 'b']);
  });

  it.each([
    ['null', null],
    ['an object', { a: ['b'] }],
    ['a list with a number', ['a', 1]],
    ['a list with a hole', Array(2)],
    ['a list of strings with a property', Object.assign(['a'], { b: 1 })],
  ])('keeps %s unchanged, with a codec that accepts it', (_, args) => {
    const { name, protocol } = legacy();
    expect(resolveOptions(fromJavaScript({ codec: { name, protocol }, args })).args).toBe(args);
  });

  it.each([[[]], [['']], [['a', 'b']]])('accepts %j', (args) => {
    expect(resolveOptions<Strings>({ args }).args).toEqual(args);
  });

  it.each([
    ['a', '"a" (string)'],
    [['a', 1], 'an array of 2'],
    [{ length: 0 }, 'a value of type object'],
  ])('refuses %j', (args, described) => {
    expect(optionErrorMessage({ args })).toBe(
      `Option "args": expected an array of strings (the legacy codec has no other values), got ${described}.`,
    );
  });
});

describe('the option signal', () => {
  it('has no default, and keeps the signal that is given', () => {
    const { signal } = new AbortController();
    expect(resolveOptions({}).signal).toBeUndefined();
    expect(resolveOptions({ signal: undefined }).signal).toBeUndefined();
    expect(resolveOptions({ signal }).signal).toBe(signal);
  });

  it('accepts a signal of another realm', () => {
    const signal = { aborted: false, addEventListener: () => {}, removeEventListener: () => {} };
    expect(resolveOptions(fromJavaScript({ signal })).signal).toBe(signal);
  });

  it.each([
    [null, 'null'],
    [new EventTarget(), 'a value of type object'],
    [{ aborted: false }, 'a value of type object'],
    [new AbortController(), 'a value of type object'],
  ])('refuses %s', (value, described) => {
    expect(optionErrorMessage({ signal: value })).toBe(`Option "signal": expected an AbortSignal, got ${described}.`);
  });
});

describe('resolveOptions', () => {
  it.each([
    [null, 'null'],
    [1337, '1337 (number)'],
    ['1337', '"1337" (string)'],
  ])('refuses %j', (options, described) => {
    expect(optionErrorMessage(options)).toBe(`Option "options": expected an object, got ${described}.`);
  });

  it('accepts absent options', () => {
    expect(resolveOptions<Strings>().transport.endpoint).toBe('tcp://127.0.0.1:1337');
  });

  it("does not return or change the caller's object", () => {
    const given = Object.freeze({ port: 0, args: Object.freeze(['a']), secret: 's', timeout: 5, verbose: undefined });
    const resolved: ResolvedOptions<Strings> = resolveOptions<Strings>(given);
    expect(resolved).not.toBe(given);
    expect(given).toEqual({ port: 0, args: ['a'], secret: 's', timeout: 5, verbose: undefined });
  });

  it("does not follow later changes of the caller's object", () => {
    const given = { timeout: 5 };
    const resolved = resolveOptions<Strings>(given);
    given.timeout = 6;
    expect(resolved.timeout).toBe(5);
  });
});
