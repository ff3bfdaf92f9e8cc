/**
 * The arguments of the command line. `any`: only a list of strings has this default, and the types ask for others.
 */
export function defaultArgs(): any {
  return process.argv.slice(hasFile() ? 2 : 1);
}

/** Whether the command line names a file before its arguments. Code of `node -e` has none, nor has a packaged program. */
function hasFile(): boolean {
  return !isEvaluated() && !isPackagedElectron();
}

function isEvaluated(): boolean {
  const hasCode = process.execArgv.some((option) => /^(-e|-pe?|--eval|--print)(=|$)/.test(option));
  // A worker has the `execArgv` of its process, but a file of its own.
  return hasCode && process.getBuiltinModule('node:worker_threads').isMainThread;
}

/** `defaultApp`: the program runs as `electron .`, from its folder. */
function isPackagedElectron(): boolean {
  const isElectron = process.versions['electron'] !== undefined && !process.env['ELECTRON_RUN_AS_NODE'];
  return isElectron && Reflect.get(process, 'defaultApp') !== true;
}

/** A copy of a list of strings, which later changes do not reach. Other values are the codec's to check. */
export function copyStrings<T>(args: T): T;
export function copyStrings(args: unknown): unknown {
  const isPlainList = Array.isArray(args) && Object.keys(args).length === args.length;
  return isPlainList && args.every((arg) => typeof arg === 'string') ? [...args] : args;
}
