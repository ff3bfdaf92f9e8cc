import { invalidOptionError, SingletonError } from './errors.ts';

/** The names of all options. The types require each name, and allow no other. */
export type OptionNames<Options> = Readonly<Record<keyof Options, true>>;

/**
 * Refuses what is not an object, and properties that are no option: a typo would otherwise be a default, such as no secret.
 * @throws SingletonError `ERR_SINGLETON_INVALID_OPTION`
 */
export function checkOptionNames(options: unknown, names: Readonly<Record<string, true>>): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw invalidOptionError('options', 'an object', options);
  for (const name of Object.keys(options))
    if (!Object.hasOwn(names, name)) throw unknownOptionError(name, Object.keys(names));
}

function unknownOptionError(name: string, known: readonly string[]): SingletonError {
  const nearest = nearestOf(known, name);
  const hint = nearest === undefined ? `The options are ${known.join(', ')}.` : `Did you mean "${nearest}"?`;
  return new SingletonError('ERR_SINGLETON_INVALID_OPTION', `Option ${JSON.stringify(name)} is unknown. ${hint}`);
}

/** More edits would make another word of it. */
const MAX_EDITS = 3;

/** The first of the names that need the fewest edits; `undefined` if all need too many. */
function nearestOf(names: readonly string[], name: string): string | undefined {
  const word = fold(name);
  const maxEdits = Math.min(MAX_EDITS, Math.floor(word.length / 3));
  for (let edits = 0; edits <= maxEdits; edits += 1) {
    const nearest = names.find((other) => isWithin(edits, word, fold(other)));
    if (nearest !== undefined) return nearest;
  }
  return undefined;
}

/** As camelCase, snake_case and kebab-case have in common. */
function fold(name: string): string {
  return name.replaceAll(/[_-]/g, '').toLowerCase();
}

/** Whether so many letters inserted, removed, replaced or swapped with the next one make one word of the other. */
function isWithin(edits: number, one: string, other: string): boolean {
  if (one === other) return true;
  if (one !== '' && one[0] === other[0]) return isWithin(edits, one.slice(1), other.slice(1));
  if (edits === 0) return false;
  const isSwapped = one.length > 1 && one[0] === other[1] && one[1] === other[0];
  return (
    (isSwapped && isWithin(edits - 1, one.slice(2), other.slice(2))) ||
    isWithin(edits - 1, one.slice(1), other.slice(1)) ||
    isWithin(edits - 1, one.slice(1), other) ||
    isWithin(edits - 1, one, other.slice(1))
  );
}
