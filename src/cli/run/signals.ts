import { isatty } from 'node:tty';

/** Of these, a terminal sends SIGINT and SIGQUIT to the command by itself. */
const FORWARDED = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGUSR1', 'SIGUSR2'] as const;
const FROM_TERMINAL: ReadonlySet<string> = new Set(['SIGINT', 'SIGQUIT']);

/** Signals to this process go to the command, by `kill`. Returns what ends that. */
export function forwardSignals(kill: (signal: NodeJS.Signals) => void): () => void {
  // The sender of a signal is not known. In the foreground of a terminal, the command has got it, too.
  const forward = (signal: NodeJS.Signals): void => {
    if (!FROM_TERMINAL.has(signal) || !isInForeground()) kill(signal);
  };
  for (const signal of FORWARDED) process.on(signal, forward);
  return () => {
    for (const signal of FORWARDED) process.off(signal, forward);
  };
}

/** Whether a terminal sends its signals to the process group of this process, which is that of the command. */
function isInForeground(): boolean {
  try {
    const stat = process.getBuiltinModule('node:fs').readFileSync('/proc/self/stat', 'utf8');
    return isForegroundStat(stat);
  } catch {
    // Other systems than Linux. Not process.stdin, which would make the pipe of the command non-blocking.
    return [0, 1, 2].some((descriptor) => isatty(descriptor));
  }
}

/** Of the fields after the name, which is in parentheses, the third is the process group, and the sixth that of the foreground. */
export function isForegroundStat(stat: string): boolean {
  const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return group === foreground;
}
