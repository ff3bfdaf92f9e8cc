import { describe, expect, it, vi } from 'vitest';
import { forwardSignals, isForegroundStat } from '../../../src/cli/run/signals.ts';

describe('forwardSignals()', () => {
  it('passes each signal on until it is told to stop', () => {
    const kill = vi.fn<(signal: NodeJS.Signals) => void>();
    const before = process.listenerCount('SIGTERM');
    const stop = forwardSignals(kill);
    for (const signal of ['SIGHUP', 'SIGTERM', 'SIGUSR1', 'SIGUSR2'] as const) process.emit(signal, signal);
    expect(kill.mock.calls).toEqual([['SIGHUP'], ['SIGTERM'], ['SIGUSR1'], ['SIGUSR2']]);
    stop();
    expect(process.listenerCount('SIGTERM')).toBe(before);
  });
});

describe('isForegroundStat()', () => {
  it.each([
    ['42 (a) b) S 1 7 7 34816 7 4194304 0', true],
    ['42 (node) S 1 8 7 34816 7 4194304 0', false],
    ['42 (node) S 1 8 7 0 -1 4194304 0', false],
  ])('compares the process group with that of the foreground: %s', (stat, expected) => {
    expect(isForegroundStat(stat)).toBe(expected);
  });
});
