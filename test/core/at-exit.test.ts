import { expect, it } from 'vitest';
import { atExit, notAtExit } from '../../src/core/host/on-exit.ts';

it('calls all back with one listener of the process, which goes with the last of them', () => {
  const before = process.listeners('exit');
  const called: number[] = [];
  const callbacks = Array.from({ length: 20 }, (_, index) => () => void called.push(index));
  for (const callback of callbacks) atExit(callback);
  const added = process.listeners('exit').filter((listener) => !before.includes(listener));
  expect(added).toHaveLength(1);
  for (const callback of callbacks.slice(1, 2)) notAtExit(callback);
  for (const listener of added) listener(0);
  expect(called).toEqual([0, ...Array.from({ length: 18 }, (_, index) => index + 2)]);
  for (const callback of callbacks) notAtExit(callback);
  expect(process.listeners('exit')).toEqual(before);
});

it('calls back behind who listens when it was asked last', () => {
  const called: string[] = [];
  const callback = (): void => void called.push('callback');
  const listener = (): void => void called.push('listener');
  atExit(callback);
  process.on('exit', listener);
  const before = process.listenerCount('exit');
  atExit(callback);
  expect(process.listenerCount('exit')).toBe(before);
  for (const last of process.listeners('exit').slice(-2)) last(0);
  expect(called).toEqual(['listener', 'callback']);
  process.off('exit', listener);
  notAtExit(callback);
});
