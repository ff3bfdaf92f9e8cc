const callbacks = new Set<() => void>();

function run(): void {
  for (const callback of callbacks) callback();
}

/** Deno emits no 'exit' after an uncaught exception, but this event before it ends. */
const DENO_EVENT = 'deno' in process.versions ? 'uncaughtExceptionMonitor' : undefined;

function onUncaughtException(): void {
  if (process.listenerCount('uncaughtException') === 0) run();
}

/**
 * Calls back when the process ends, after the listeners that exist now. One listener of the process for all callbacks: Node
 * warns of more than ten.
 */
export function onExit(callback: () => void): void {
  if (DENO_EVENT && callbacks.size === 0) process.on(DENO_EVENT, onUncaughtException);
  callbacks.add(callback);
  if (process.listeners('exit').at(-1) !== run) process.off('exit', run).on('exit', run);
}

export function offExit(callback: () => void): void {
  if (!callbacks.delete(callback) || callbacks.size > 0) return;
  process.off('exit', run);
  if (DENO_EVENT) process.off(DENO_EVENT, onUncaughtException);
}
