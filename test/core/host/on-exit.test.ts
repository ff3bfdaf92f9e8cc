import { describe, expect, it } from 'vitest';
import { offExit, onExit } from '../../../src/core/host/on-exit.ts';

describe('onExit', () => {
  it('calls all callbacks with one listener of the process, and removes it with the last of them', () => {
    const before = process.listeners('exit');
    const called: number[] = [];
    const callbacks = Array.from({ length: 20 }, (_, index) => () => void called.push(index));
    for (const callback of callbacks) onExit(callback);
    const added = process.listeners('exit').filter((listener) => !before.includes(listener));
    expect(added).toHaveLength(1);
    for (const callback of callbacks.slice(1, 2)) offExit(callback);
    for (const listener of added) listener(0);
    expect(called).toEqual([0, ...Array.from({ length: 18 }, (_, index) => index + 2)]);
    for (const callback of callbacks) offExit(callback);
    expect(process.listeners('exit')).toEqual(before);
  });

  it('calls back after the listeners that existed at the last call', () => {
    const called: string[] = [];
    const callback = (): void => void called.push('callback');
    const listener = (): void => void called.push('listener');
    onExit(callback);
    process.on('exit', listener);
    const before = process.listenerCount('exit');
    onExit(callback);
    expect(process.listenerCount('exit')).toBe(before);
    for (const last of process.listeners('exit').slice(-2)) last(0);
    expect(called).toEqual(['listener', 'callback']);
    process.off('exit', listener);
    offExit(callback);
  });
});
