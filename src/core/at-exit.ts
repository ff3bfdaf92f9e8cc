const callbacks = new Set<() => void>();

function run(): void {
  for (const callback of callbacks) callback();
}

/** Calls back when the process ends. One listener of the process for all: Node warns of more than ten. */
export function atExit(callback: () => void): void {
  if (callbacks.size === 0) process.on('exit', run);
  callbacks.add(callback);
}

export function notAtExit(callback: () => void): void {
  callbacks.delete(callback);
  if (callbacks.size === 0) process.off('exit', run);
}
