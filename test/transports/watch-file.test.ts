import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { watchFile } from '../../src/transports/unix-socket.ts';
import { socketFolder } from '../helpers/socket-folder.ts';

test('watchFile polls the file until close() on a system that reports no changes', () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  const look = vi.fn<() => void>();
  // There is no such directory to watch.
  const watch = watchFile(join(socketFolder(), 'missing', 'socket'), look);
  vi.advanceTimersByTime(4999);
  expect(look).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(look).toHaveBeenCalledOnce();
  vi.advanceTimersByTime(5000);
  expect(look).toHaveBeenCalledTimes(2);
  watch.close();
  vi.advanceTimersByTime(60_000);
  expect(look).toHaveBeenCalledTimes(2);
});

test('watchFile does not keep the process alive', () => {
  const before = process.getActiveResourcesInfo();
  const watch = watchFile(join(socketFolder(), 'socket'), () => {});
  onTestFinished(() => watch.close());
  expect(process.getActiveResourcesInfo()).toEqual(before);
});
