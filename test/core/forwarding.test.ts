import { PassThrough, type Writable } from 'node:stream';
import tty from 'node:tty';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { terminalsOf, watch } from '../../src/core/forwarding.ts';
import type { Terminals } from '../../src/interface/protocol.ts';

/** A stream with these members. */
function stream(members: object): Writable {
  return Object.assign(new PassThrough(), members);
}

const MEMBERS = { isTTY: true, columns: 80, rows: 24, getColorDepth: () => 8 };
const TERMINAL = { columns: 80, rows: 24, colorDepth: 8 };

/** What is said of a stream, beside one that is no terminal. */
function terminalOf(members: object): unknown {
  const { stdout, stderr } = terminalsOf({ stdio: { ...NONE, stdout: stream(members) } });
  expect(stderr).toBeUndefined();
  return stdout;
}

const NONE = { stdout: stream({}), stderr: stream({}), stdin: undefined };

describe('terminalsOf', () => {
  it('describes the streams that were given', () => {
    const stdio = { ...NONE, stdout: stream(MEMBERS), stderr: stream({ ...MEMBERS, columns: 100 }) };
    expect(terminalsOf({ stdio })).toEqual({ stdout: TERMINAL, stderr: { ...TERMINAL, columns: 100 } });
  });

  it.each<[string, object]>([
    ['no terminal', {}],
    ['a truthy isTTY that is not true', { ...MEMBERS, isTTY: 1 }],
    [
      'a getColorDepth that throws',
      {
        ...MEMBERS,
        getColorDepth: () => {
          throw new Error('from the stream');
        },
      },
    ],
  ])('leaves out a stream with %s', (_, members) => {
    expect(terminalOf(members)).toBeUndefined();
  });

  it.each<[unknown, number]>([
    [undefined, 0],
    [NaN, 0],
    [-1, 0],
    [65_535, 65_535],
    [65_536, 65_535],
    [Infinity, 65_535],
    [80.9, 80],
    ['wide', 0],
  ])('sends a width of %s as %i', (columns, sent) => {
    expect(terminalOf({ ...MEMBERS, columns })).toEqual({ ...TERMINAL, columns: sent });
    expect(terminalOf({ ...MEMBERS, rows: columns })).toEqual({ ...TERMINAL, rows: sent });
  });

  it.each<[unknown, number]>([
    [undefined, 1],
    [() => 1, 1],
    [() => 4, 4],
    [() => 24, 24],
    [() => 16, 8],
    [() => 32, 24],
    [() => 'many', 1],
  ])('sends the result of %o as one of the depths that Node has', (getColorDepth, colorDepth) => {
    expect(terminalOf({ ...MEMBERS, getColorDepth })).toEqual({ ...TERMINAL, colorDepth });
  });

  it("creates the process's own streams only if they are terminals", () => {
    const created: string[] = [];
    const own = stream(MEMBERS);
    const isatty = vi.spyOn(tty, 'isatty').mockReturnValue(false);
    for (const name of ['stdout', 'stderr'] as const) {
      const descriptor = Object.getOwnPropertyDescriptor(process, name) ?? {};
      onTestFinished(() => void Object.defineProperty(process, name, descriptor));
      const get = (): unknown => (created.push(name), own);
      Object.defineProperty(process, name, { configurable: true, get });
    }
    onTestFinished(() => isatty.mockRestore());
    const stdio = { stdout: undefined, stderr: undefined, stdin: undefined };

    expect(terminalsOf({ stdio })).toEqual({});
    expect(created).toEqual([]);
    isatty.mockImplementation((descriptor) => descriptor === 2);
    expect(terminalsOf({ stdio })).toEqual({ stderr: TERMINAL });
    expect(created).toEqual(['stderr']);
    isatty.mockImplementation((descriptor) => descriptor === 1);
    expect(terminalsOf({ stdio })).toEqual({ stdout: TERMINAL });
  });
});

describe('watch', () => {
  it('lets many launches listen at once, and restores the limit of listeners', () => {
    const stdout = stream(MEMBERS);
    const report = { terminals: () => {}, signal: () => {} };
    const limits = (): readonly number[] => [stdout, process].map((emitter) => emitter.getMaxListeners());
    const before = limits();
    const stops = Array.from({ length: 20 }, () =>
      watch({ stdio: { ...NONE, stdout }, forwardSignals: ['SIGUSR2'] }, report),
    );
    expect(stdout.listenerCount('resize')).toBe(20);
    expect(limits()).toEqual(before.map((limit) => limit + 20));
    for (const stop of stops) stop();
    expect([limits(), stdout.listenerCount('resize'), process.listenerCount('SIGUSR2')]).toEqual([before, 0, 0]);
  });

  it('reports the terminals at once, and when one is resized, until it is ended', () => {
    const stdout = stream(MEMBERS);
    const seen: Terminals[] = [];
    const report = { terminals: (terminals: Terminals) => void seen.push(terminals), signal: () => {} };
    const end = watch({ stdio: { ...NONE, stdout }, forwardSignals: [] }, report);
    Object.assign(stdout, { columns: 132 });
    stdout.emit('resize');
    NONE.stderr.emit('resize');
    end();
    stdout.emit('resize');
    expect(seen).toEqual([{ stdout: TERMINAL }, { stdout: { ...TERMINAL, columns: 132 } }]);
    expect([stdout, NONE.stderr].map((each) => each.listenerCount('resize'))).toEqual([0, 0]);
  });

  it('reports the signals that are forwarded, and no others, until it is ended', () => {
    const before = process.listenerCount('SIGUSR2');
    const seen: string[] = [];
    const report = { terminals: () => {}, signal: (name: string) => void seen.push(name) };
    const end = watch({ stdio: NONE, forwardSignals: ['SIGUSR2'] }, report);
    process.emit('SIGUSR2', 'SIGUSR2');
    process.emit('SIGWINCH', 'SIGWINCH');
    end();
    process.emit('SIGUSR2', 'SIGUSR2');
    expect(seen).toEqual(['SIGUSR2']);
    expect(process.listenerCount('SIGUSR2')).toBe(before);
  });
});
