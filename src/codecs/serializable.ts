import { SingletonError } from '../interface/errors.ts';

/** Containers inside each other, in what is sent and taken. */
export const MAX_DEPTH = 32;
/** Values in one message, containers included and keys not. */
export const MAX_NODES = 65_536;

/** In bytes: of a longer string, msgpackr drops a byte order mark at the beginning. */
export const MAX_BYTES_WITH_BOM = 64;

/** A format's own values: what is neither a list nor an object, and arrives as it was. */
export type IsLeaf = (value: unknown) => boolean;

/**
 * Refuses what would not arrive as it was sent. Objects and arrays are plain; a property that is `undefined` is left out.
 * @throws SingletonError `ERR_SINGLETON_UNENCODABLE`, with the path of the value
 */
export function assertSerializable(value: unknown, format: string, isLeaf: IsLeaf): void {
  const problem = new Walk(format, isLeaf).visit(value, 0);
  if (problem !== undefined) throw unencodable(problem);
}

/** Whether a list holds its items and nothing that a serializer would follow, or leave out. */
export function isPlainList(list: readonly unknown[]): boolean {
  return Reflect.ownKeys(list).length === list.length + 1 && !hasToJson(list);
}

/** The properties of an object, one value for each key. */
export interface Entries {
  readonly keys: readonly string[];
  readonly values: readonly unknown[];
}

/** Of a plain object; `undefined` where it is none, or has what a serializer would follow, or leave out. */
export function tryEntries(object: object): Entries | undefined {
  if (!isPlainObject(object)) return undefined;
  // Together a third of what Reflect.ownKeys() takes.
  const keys = Object.getOwnPropertyNames(object);
  if (Object.getOwnPropertySymbols(object).length > 0 || hasToJson(object)) return undefined;
  const values: unknown[] = Object.values(object);
  // What is hidden is no value.
  return values.length === keys.length ? { keys, values } : undefined;
}

class Walk {
  readonly #format: string;
  readonly #isLeaf: IsLeaf;
  #nodes = 0;

  constructor(format: string, isLeaf: IsLeaf) {
    this.#format = format;
    this.#isLeaf = isLeaf;
  }

  /** What is wrong with it, behind the path from here; `undefined` where nothing is. */
  visit(value: unknown, depth: number): string | undefined {
    this.#nodes += 1;
    if (this.#nodes > MAX_NODES) throw unencodable(` holds more than ${MAX_NODES} values`);
    if (this.#isLeaf(value)) return undefined;
    if (depth === MAX_DEPTH) throw unencodable(` is nested deeper than ${MAX_DEPTH} levels`);
    if (Array.isArray(value)) return this.#list(value, depth + 1);
    if (isPlainObject(value)) return this.#object(value, depth + 1);
    return ` is ${describe(value)}, which ${this.#format} has no form for`;
  }

  #list(list: readonly unknown[], depth: number): string | undefined {
    if (!isPlainList(list)) {
      // Its length is hidden.
      if (Reflect.ownKeys(list).length > Object.keys(list).length + 1 || hasToJson(list)) return HAS_MORE;
      if (Object.keys(list).length > list.length) return ' is a list with more than its items';
    }
    for (let index = 0; index < list.length; index += 1) {
      const problem = this.visit(list[index], depth);
      if (problem !== undefined) return `[${index}]${problem}`;
    }
    return undefined;
  }

  #object(object: object, depth: number): string | undefined {
    const entries = tryEntries(object);
    if (!entries) return HAS_MORE;
    for (const [index, key] of entries.keys.entries()) {
      if (key === '__proto__' || !this.#isLeaf(key)) return ' has a key that is refused on arrival';
      const item = entries.values[index];
      const problem = item === undefined ? undefined : this.visit(item, depth);
      if (problem !== undefined) return `.${key}${problem}`;
    }
    return undefined;
  }
}

const HAS_MORE = ' has toJSON(), or a property that is hidden';

function unencodable(problem: string): SingletonError {
  return new SingletonError('ERR_SINGLETON_UNENCODABLE', `Cannot send this value: value${problem}.`);
}

function hasToJson(value: object): boolean {
  return 'toJSON' in value && typeof value.toJSON === 'function';
}

/** Of any realm: its prototype is that of all objects, or it has none. */
function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === null || prototype === Object.prototype) return true;
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(Object(prototype), 'valueOf');
}

function describe(value: unknown): string {
  if (typeof value === 'string') return 'a string that would arrive as another';
  if (typeof value !== 'object' || value === null)
    return typeof value === 'number' ? String(value) : `of type ${typeof value}`;
  const name: unknown = value.constructor?.name;
  return typeof name === 'string' && name !== '' ? `a ${name}` : 'an object with a prototype of its own';
}
