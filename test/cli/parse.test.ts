import { describe, expect, it } from 'vitest';
import { UsageError } from '../../src/cli/command.ts';
import { parse } from '../../src/cli/parse.ts';
import { SYNTAX } from '../../src/cli/syntax.ts';

const parseSend = (...args: readonly string[]) => parse('send', SYNTAX.send, args);
const parseRun = (...args: readonly string[]) => parse('run', SYNTAX.run, args);

describe('parse()', () => {
  it('takes options before, between and after operands', () => {
    expect(parseSend('--codec', 'json', 'a', '--name=x', 'b', '--wait')).toEqual({
      options: { codec: 'json', name: 'x', wait: true },
      operands: ['a', 'b'],
      command: [],
    });
  });

  it('gives an option with an optional value one only after an equals sign', () => {
    expect(parseSend('--wait', 'a5', 'b')).toMatchObject({ options: { wait: true }, operands: ['a5', 'b'] });
    expect(parseSend('--wait', '--', '5', 'b')).toMatchObject({ options: { wait: true }, operands: ['5', 'b'] });
    expect(() => parseSend('--wait', '5', 'b')).toThrow('write --wait=5.');
    expect(parseSend('--wait=5', 'b')).toMatchObject({ options: { wait: '5' }, operands: ['b'] });
  });

  it('takes what follows "--" as operands, dashes and empty strings included', () => {
    expect(parseSend('--', '-x', '', '--wait', '--', '-', 'b').operands).toEqual(['-x', '', '--wait', '--', '-', 'b']);
  });

  it('leaves the command of "run" after the first "--" as it is', () => {
    expect(parseRun('--status', '3', 'lock', '--', 'rm', '--', '-rf', '--help')).toEqual({
      options: { status: '3' },
      operands: ['lock'],
      command: ['rm', '--', '-rf', '--help'],
    });
  });

  it('takes the last one of an option that is repeated', () => {
    expect(parseSend('--codec', 'json', '--codec', 'msgpack', 'b').options).toEqual({ codec: 'msgpack' });
  });

  it('takes -h for --help', () => {
    expect(parseSend('-h').options).toEqual({ help: true });
  });

  it.each([
    [['--bogus'], '--bogus is not an option of "send". Write "--" before an ARG that begins with a dash.'],
    [['-x'], '-x is not an option of "send".'],
    [['--constructor'], '--constructor is not an option'],
    [['--codec'], '--codec needs a CODEC.'],
    [['--help=x'], '--help takes no value.'],
    [['a\u{fffd}'], '"a\u{fffd}" is not UTF-8'],
  ])('refuses %j', (args, message) => {
    expect(() => parseSend(...args)).toThrow(UsageError);
    expect(() => parseSend(...args)).toThrow(message);
  });

  it('does not advise "--" for an ENDPOINT', () => {
    expect(() => parseRun('-x')).toThrow('-x is not an option of "run". An ENDPOINT does not begin with a dash.');
    expect(() => parse('stop', SYNTAX.stop, ['-x'])).toThrow(/An ENDPOINT does not begin with a dash\.$/);
  });
});
