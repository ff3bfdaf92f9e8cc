import { closeSync, openSync, readFileSync } from 'node:fs';
import { devNull } from 'node:os';
import { codeOf, SingletonError } from '../../interface/errors.ts';
import { clearInterval, setInterval } from '../../interface/timers.ts';

/** Files that a small program has open beside its connections. */
const OTHER_FILES = 32;
/** Milliseconds between two looks. */
const INTERVAL = 2000;

/**
 * Warns once if the system allows too few open files for the connections, and once if they are used up: the system then accepts
 * connections and closes them at once, and no event of Node says so. Returns a function that stops it.
 */
export function watchFileLimit(
  { endpoint, maxConnections }: { readonly endpoint: string; readonly maxConnections: number },
  warn: (warning: SingletonError) => void,
): () => void {
  const limit = limitOfProcess();
  // On nextTick, so that a listener that is added after `await acquire()` gets it.
  if (limit < maxConnections + OTHER_FILES) process.nextTick(warn, lowLimitWarning(limit, maxConnections));
  const timer = setInterval(() => {
    if (canOpen()) return;
    clearInterval(timer);
    warn(usedUpWarning(endpoint));
  }, INTERVAL).unref();
  return () => clearInterval(timer);
}

function canOpen(): boolean {
  try {
    closeSync(openSync(devNull, 'r'));
    return true;
  } catch (error) {
    return codeOf(error) !== 'EMFILE' && codeOf(error) !== 'ENFILE';
  }
}

/** Without a child process it can be read on Linux only. */
function limitOfProcess(): number {
  try {
    return Number(/^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? Infinity);
  } catch {
    return Infinity;
  }
}

function lowLimitWarning(limit: number, maxConnections: number): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_BUSY',
    `This process may open ${limit} files (ulimit -n), and each of up to ${maxConnections} connections (maxConnections) is ` +
      'one. Beyond the limit, the system closes connections before this host sees them. Raise the limit, or lower ' +
      'maxConnections.',
  );
}

function usedUpWarning(endpoint: string): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_BUSY',
    `This process has used up the files that it may open (ulimit -n). The system closes connections to ${endpoint} before ` +
      'this host sees them, and their launches try again. Close files, or raise the limit.',
  );
}
