import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { assertSerializable, MAX_DEPTH, MAX_NODES } from '../../src/codecs/serializable.ts';
import { SingletonError } from '../../src/interface/errors.ts';

class Job {
  file = 'a';
}

class List extends Array<number> {}

const isLeaf = (value: unknown): boolean => value === null || ['string', 'number', 'boolean'].includes(typeof value);

/** The message that a value is refused with; `undefined` if it is accepted. */
function refusalOf(value: unknown): string | undefined {
  try {
    assertSerializable(value, 'TEST', isLeaf);
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(SingletonError);
    expect(error).toMatchObject({ code: 'ERR_SINGLETON_UNENCODABLE' });
    return error instanceof Error ? error.message : '';
  }
}

/** `inner` in so many lists or objects. */
function nest(depth: number, wrap: (inner: unknown) => unknown, inner: unknown = null): unknown {
  return depth === 0 ? inner : nest(depth - 1, wrap, wrap(inner));
}

const inList = (inner: unknown): unknown => [inner];
const inObject = (inner: unknown): unknown => ({ a: inner });

describe('assertSerializable', () => {
  it.each<[string, unknown]>([
    ['a scalar', 'a'],
    ['an empty list', []],
    ['an empty object', {}],
    ['lists and objects in each other', [{ a: [1, { b: [] }] }, [[]]]],
    ['an object without a prototype', Object.assign(Object.create(null), { a: 1 })],
    ['an object and a list of another realm', runInNewContext('({ a: [1, {}] })')],
    ['a property that is undefined', { a: undefined, b: 1 }],
    ['keys that objects have from their prototype', { constructor: 1, hasOwnProperty: 2, toString: 3, length: 4 }],
    ['an object that is frozen', Object.freeze({ a: Object.freeze([1]) })],
  ])('accepts %s', (_, value) => {
    expect(refusalOf(value)).toBeUndefined();
  });

  it('accepts an object that occurs twice without a cycle', () => {
    const shared = { a: 1 };
    expect(refusalOf([shared, shared, { shared }])).toBeUndefined();
  });

  it('accepts a subclass of Array, which arrives as a list', () => {
    expect(refusalOf(List.of(1, 2))).toBeUndefined();
  });
});

describe('assertSerializable', () => {
  it.each<[string, unknown, string]>([
    ['a Map', new Map(), 'a Map'],
    ['a Set', new Set(), 'a Set'],
    ['a Date', new Date(0), 'a Date'],
    ['a RegExp', /a/, 'a RegExp'],
    ['an Error', new Error('a'), 'a Error'],
    ['a Promise', Promise.resolve(), 'a Promise'],
    ['a typed array', new Float64Array(1), 'a Float64Array'],
    ['a boxed string', Object('a'), 'a String'],
    ['an instance of a class', new Job(), 'a Job'],
    ['an object whose prototype is an object', Object.create({ a: 1 }), 'a Object'],
    ['a function', () => 1, 'of type function'],
    ['a class', Job, 'of type function'],
    ['a symbol', Symbol('a'), 'of type symbol'],
    ['a bigint', 1n, 'of type bigint'],
    ['undefined', undefined, 'of type undefined'],
  ])('refuses %s with its path and its type', (_, value, name) => {
    const reason = `is ${name}, which TEST cannot represent.`;
    expect(refusalOf(value)).toBe(`Cannot send this value: value ${reason}`);
    expect(refusalOf([0, value])).toBe(`Cannot send this value: value[1] ${reason}`);
    expect(refusalOf({ jobs: [{ a: 1 }, { b: [value] }] })).toBe(
      `Cannot send this value: value.jobs[1].b[0] ${reason}`,
    );
  });

  it('refuses a list with a hole at the hole, however long the list is', () => {
    const sparse: unknown[] = [];
    sparse[4_294_967_290] = 1;
    expect(refusalOf({ a: sparse })).toMatch(/: value\.a\[0\] is of type undefined/);
  });

  it.each([
    ['a list with a property', Object.assign([1], { x: 1 }), 'is an array with properties besides its items'],
    ['a list whose class has toJSON()', new Listed(1), 'has toJSON()'],
    ['a list with toJSON()', Object.assign([1], { toJSON: () => 2 }), 'has toJSON()'],
    ['an object with a toJSON() that is not enumerable', hidden(), 'has toJSON()'],
    ['an object with a toJSON() that is inherited', Object.create(hidden(null)), 'is an object with its own prototype'],
    ['a key that is a symbol', { [Symbol('a')]: 1 }, 'has toJSON(), or a property that is a symbol or not enumerable'],
    ['a property that is not enumerable', Object.defineProperty({}, 'a', { value: 1 }), 'has toJSON(), or a property'],
    ['a property that is inherited', Object.create(Object.assign(Object.create(null), { a: 1 })), 'is an object with'],
    ['an instance of a class that extends null', Reflect.construct(Rootless, []), 'is a Rootless'],
  ])('refuses %s, which a serializer would call or leave out', (_, value, reason) => {
    expect(refusalOf({ a: value })).toContain(`value.a ${reason}`);
  });

  it('accepts a property "toJSON" that is not a function', () => {
    expect(() => assertSerializable({ toJSON: 1 }, 'TEST', (value) => typeof value !== 'object')).not.toThrow();
  });

  it('names a number that the format cannot represent', () => {
    expect(() => assertSerializable([1, NaN], 'TEST', Number.isFinite)).toThrow('value[1] is NaN, which TEST');
    expect(() => assertSerializable([-Infinity], 'TEST', Number.isFinite)).toThrow('value[0] is -Infinity, which TEST');
  });

  it('refuses an own key "__proto__" with the path of its object', () => {
    const evil: unknown = JSON.parse('[{ "a": { "__proto__": 1 } }]');
    expect(refusalOf(evil)).toBe('Cannot send this value: value[0].a has a key that the receiver rejects.');
  });

  it('refuses a key that the format cannot represent', () => {
    expect(() => assertSerializable({ ab: 1 }, 'TEST', Number.isFinite)).toThrow('value has a key');
  });

  it('refuses a cycle through lists and through objects', () => {
    const list: unknown[] = [];
    list.push(list);
    const object: Record<string, unknown> = {};
    object['a'] = [object];
    for (const cycle of [list, object]) expect(refusalOf(cycle)).toMatch(/value is nested deeper than 32 levels/);
  });
});

/** A list that JSON would follow. */
class Listed extends Array<number> {
  toJSON(): number {
    return this.length;
  }
}

/** An object whose toJSON() is not among its properties. */
/** A class whose instances have nothing of what all objects have. */
function Rootless(): void {}
Rootless.prototype = Object.create(null, { constructor: { value: Rootless } });

function hidden(prototype: object | null = Object.prototype): object {
  return Object.create(prototype, { toJSON: { value: () => 'another value' } });
}

const list = (length: number): unknown => Array.from({ length }, () => 0);
const object = (length: number): unknown => Object.fromEntries(Array.from({ length }, (_, i) => [`k${i}`, i]));

describe('assertSerializable, at its limits,', () => {
  it.each([
    ['lists', inList],
    ['objects', inObject],
  ])('accepts %s 32 deep and refuses them 33 deep, empty ones too', (_, wrap) => {
    expect(MAX_DEPTH).toBe(32);
    expect(refusalOf(nest(32, wrap))).toBeUndefined();
    expect(refusalOf(nest(31, wrap, []))).toBeUndefined();
    expect(refusalOf(nest(33, wrap))).toMatch(/value is nested deeper than 32 levels/);
    expect(refusalOf(nest(32, wrap, {}))).toMatch(/value is nested deeper than 32 levels/);
  });

  it('accepts 65,536 values and refuses one more; counts containers, not keys and undefined', () => {
    expect(MAX_NODES).toBe(65_536);
    for (const make of [list, object]) {
      expect(refusalOf(make(65_535))).toBeUndefined();
      expect(refusalOf(make(65_536))).toMatch(/value holds more than 65536 values/);
    }
    expect(refusalOf({ list: list(65_533), empty: [], left: undefined })).toBeUndefined();
    expect(refusalOf({ list: list(65_534), empty: [] })).toMatch(/value holds more than 65536 values/);
  });

  it('refuses few objects whose references amount to 2 ** 30 values', () => {
    const many = nest(30, (inner) => [inner, inner]);
    expect(refusalOf(many)).toMatch(/value holds more than 65536 values/);
  });
});
