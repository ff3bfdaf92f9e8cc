import { invalidOptionError } from '../../interface/errors.ts';
import { checkOptionNames, type OptionNames } from '../../interface/option-names.ts';
import type { ReleaseOptions } from '../emitter.ts';
import { MAX_TIMER } from './checks.ts';

const OPTION_NAMES: OptionNames<ReleaseOptions> = { drain: true };

/** Milliseconds, `Infinity` without a limit. @throws SingletonError `ERR_SINGLETON_INVALID_OPTION` */
export function resolveDrain(options: ReleaseOptions = {}): number {
  checkOptionNames(options, OPTION_NAMES);
  const { drain = false } = options;
  if (typeof drain === 'boolean') return drain ? Infinity : 0;
  if (Number.isSafeInteger(drain) && drain >= 0 && drain <= MAX_TIMER) return drain;
  throw invalidOptionError('drain', `a boolean or an integer from 0 to ${MAX_TIMER}`, drain);
}
