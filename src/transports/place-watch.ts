import { watch, type FSWatcher } from 'node:fs';
import { dirname } from 'node:path';

/** Milliseconds between two looks where the system tells of no change: some file systems do not. */
const INTERVAL = 5000;

/** Looks whenever something happens in the directory of a file, and now and then; does not keep the process alive. */
export function watchPlace(path: string, look: () => void): { close(): void } {
  const timer = setInterval(look, INTERVAL).unref();
  const watcher = tryWatch(dirname(path), look);
  return {
    close() {
      clearInterval(timer);
      watcher?.close();
    },
  };
}

/** `undefined` where the system has no more of them. */
function tryWatch(directory: string, look: () => void): FSWatcher | undefined {
  try {
    // Errors end it, and the looks go on.
    return watch(directory, { persistent: false }, look).on('error', () => {});
  } catch {
    return undefined;
  }
}
