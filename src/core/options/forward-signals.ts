import { invalidOptionError } from '../../interface/errors.ts';

/** Signals that no program can listen for. */
const UNCATCHABLE: ReadonlySet<unknown> = new Set(['SIGKILL', 'SIGSTOP']);

/** The option `forwardSignals`, each name once. @throws SingletonError `ERR_SINGLETON_INVALID_OPTION` */
export function resolveForwardSignals(signals: unknown, wait: number): readonly NodeJS.Signals[] {
  if (signals === undefined) return [];
  if (!Array.isArray(signals)) throw invalidOptionError('forwardSignals', 'an array of names of signals', signals);
  const names: ReadonlySet<unknown> = new Set(signals);
  const { signals: known } = process.getBuiltinModule('node:os').constants;
  const isSignal = (name: unknown): name is NodeJS.Signals => typeof name === 'string' && Object.hasOwn(known, name);
  const resolved: NodeJS.Signals[] = [];
  for (const name of names) {
    if (!isSignal(name) || UNCATCHABLE.has(name))
      throw invalidOptionError(
        'forwardSignals',
        'names of signals that this system has and a program can receive',
        name,
      );
    resolved.push(name);
  }
  if (resolved.length === 0 || wait > 0) return resolved;
  throw invalidOptionError(
    'forwardSignals',
    'no names without wait, because only a launch that waits can forward them',
    signals,
  );
}
