import { invalidOptionError } from '../../interface/errors.ts';

/** A longer timer fires at once. */
export const MAX_TIMER: number = 2_147_483_647;

/** Not by `instanceof`: another realm has classes of its own. */
export function checkMethods(
  name: string,
  on: unknown,
  methods: readonly string[],
  expected: string,
  given: unknown,
): void {
  const has = (method: string): boolean => typeof Object(on)[method] === 'function';
  if (!methods.every(has)) throw invalidOptionError(name, expected, given);
}

export function bool(name: string, value: unknown, defaultValue: boolean): boolean {
  if (value === undefined) return defaultValue;
  if (typeof value === 'boolean') return value;
  throw invalidOptionError(name, 'a boolean', value);
}

/** Milliseconds: 0 for `false`, `Infinity` for `true`. */
export function duration(name: string, value: unknown): number {
  if (value === undefined || value === false) return 0;
  if (value === true) return Infinity;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1 && value <= MAX_TIMER) return value;
  throw invalidOptionError(name, `a boolean or an integer from 1 to ${MAX_TIMER}`, value);
}

export function integer(
  name: string,
  value: unknown,
  defaultValue: number,
  min: number,
  max: number = Number.MAX_SAFE_INTEGER,
): number {
  if (value === undefined) return defaultValue;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max) return value;
  throw invalidOptionError(name, `an integer from ${min} to ${max}`, value);
}
