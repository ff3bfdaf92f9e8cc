const callbacks = new Set<() => void>();

function run(): void {
  for (const callback of callbacks) callback();
}

/**
 * Calls back when the process ends, after the listeners that exist now. One listener of the process for all callbacks: Node
 * warns of more than ten.
 */
export function onExit(callback: () => void): void {
  callbacks.add(callback);
  process.off('exit', run).on('exit', run);
}

export function offExit(callback: () => void): void {
  if (callbacks.delete(callback) && callbacks.size === 0) process.off('exit', run);
}
