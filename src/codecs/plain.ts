import { SingletonError } from '../core/errors.ts';

/** Containers inside each other, in what is sent and taken. */
export const MAX_DEPTH = 32;
/** Values in one message, containers included and keys not. */
export const MAX_NODES = 65_536;

/** A format's own values: what is neither a list nor an object, and arrives as it was. */
export type IsLeaf = (value: unknown) => boolean;

/**
 * Refuses what would not arrive as it was sent. Objects and arrays are plain; a property that is `undefined` is left out.
 * @throws SingletonError `ERR_SINGLETON_UNENCODABLE`, with the path of the value
 */
export function requirePlain(value: unknown, format: string, isLeaf: IsLeaf): void {
  new Walk(format, isLeaf).visit(value);
}

class Walk {
  readonly #format: string;
  readonly #isLeaf: IsLeaf;
  readonly #path: (string | number)[] = [];
  #nodes = 0;

  constructor(format: string, isLeaf: IsLeaf) {
    this.#format = format;
    this.#isLeaf = isLeaf;
  }

  visit(value: unknown): void {
    this.#nodes += 1;
    if (this.#nodes > MAX_NODES) throw this.#refuse(`holds more than ${MAX_NODES} values`, []);
    if (this.#isLeaf(value)) return;
    if (this.#path.length === MAX_DEPTH) throw this.#refuse(`is nested deeper than ${MAX_DEPTH} levels`, []);
    if (hasMore(value)) throw this.#refuse('has toJSON(), or a property that is hidden');
    if (Array.isArray(value)) {
      if (Object.keys(value).length > value.length) throw this.#refuse('is a list with more than its items');
      for (const [index, item] of value.entries()) this.#enter(index, item);
    } else if (isPlainObject(value)) {
      for (const [key, item] of Object.entries(value)) {
        if (key === '__proto__' || !this.#isLeaf(key)) throw this.#refuse('has a key that is refused on arrival');
        if (item !== undefined) this.#enter(key, item);
      }
    } else {
      throw this.#refuse(`is ${describe(value)}, which ${this.#format} has no form for`);
    }
  }

  #enter(key: string | number, value: unknown): void {
    this.#path.push(key);
    this.visit(value);
    this.#path.pop();
  }

  #refuse(problem: string, path: readonly (string | number)[] = this.#path): SingletonError {
    const where = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${key}`)).join('');
    return new SingletonError('ERR_SINGLETON_UNENCODABLE', `Cannot send this value: value${where} ${problem}.`);
  }
}

/** Whether a list or a plain object has what a serializer would follow, or leave out. */
function hasMore(value: unknown): boolean {
  if (!Array.isArray(value) && !isPlainObject(value)) return false;
  // Of a list, its length is hidden.
  const hidden = Reflect.ownKeys(value).length - Object.keys(value).length - (Array.isArray(value) ? 1 : 0);
  return hidden > 0 || ('toJSON' in value && typeof value['toJSON'] === 'function');
}

/** Of any realm: its prototype is that of all objects, or it has none. */
function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return (
    prototype === null || (Object.getPrototypeOf(prototype) === null && Object.hasOwn(Object(prototype), 'valueOf'))
  );
}

function describe(value: unknown): string {
  if (typeof value !== 'object' || value === null)
    return typeof value === 'number' ? String(value) : `of type ${typeof value}`;
  const name: unknown = value.constructor?.name;
  return typeof name === 'string' && name !== '' ? `a ${name}` : 'an object with a prototype of its own';
}
