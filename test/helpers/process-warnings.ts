import { setImmediate as turn } from 'node:timers/promises';

/** The warnings of the process while `run` runs, and in the turn after it. They are not printed. */
export async function processWarningsOf(run: () => unknown): Promise<Error[]> {
  const warnings: Error[] = [];
  const onWarning = (warning: Error): void => void warnings.push(warning);
  const others = process.listeners('warning');
  process.removeAllListeners('warning').on('warning', onWarning);
  try {
    await run();
    await turn();
  } finally {
    process.off('warning', onWarning);
    for (const listener of others) process.on('warning', listener);
  }
  return warnings;
}
