import { setImmediate as turn } from 'node:timers/promises';

/** The uncaught exceptions while `run` runs, and in the turn after it. */
export async function uncaughtErrorsOf(run: () => unknown): Promise<unknown[]> {
  const errors: unknown[] = [];
  const onError = (error: unknown): void => void errors.push(error);
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException').on('uncaughtException', onError);
  try {
    await run();
    await turn();
  } finally {
    process.off('uncaughtException', onError);
    for (const listener of others) process.on('uncaughtException', listener);
  }
  return errors;
}
