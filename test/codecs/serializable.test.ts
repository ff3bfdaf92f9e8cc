import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { assertSerializable, MAX_DEPTH, MAX_NODES } from '../../src/codecs/serializable.ts';
import { SingletonError } from '../../src/interface/errors.ts';

class Job {
  file = 'a';
}

class List extends Array<number> {}

const isLeaf = (value: unknown): boolean => value === null || ['string', 'number', 'boolean'].includes(typeof value);

/** What a value is refused with, `undefined` where it is let through. */
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

describe('what is plain', () => {
  it.each<[string, unknown]>([
    ['a leaf', 'a'],
    ['an empty list', []],
    ['an empty object', {}],
    ['lists and objects in each other', [{ a: [1, { b: [] }] }, [[]]]],
    ['an object without a prototype', Object.assign(Object.create(null), { a: 1 })],
    ['an object and a list of another realm', runInNewContext('({ a: [1, {}] })')],
    ['a property that is undefined', { a: undefined, b: 1 }],
    ['keys that objects have from their prototype', { constructor: 1, hasOwnProperty: 2, toString: 3, length: 4 }],
    ['an object that is frozen', Object.freeze({ a: Object.freeze([1]) })],
  ])('%s is let through', (_, value) => {
    expect(refusalOf(value)).toBeUndefined();
  });

  it('an object in two endpoints is let through: only a cycle never ends', () => {
    const shared = { a: 1 };
    expect(refusalOf([shared, shared, { shared }])).toBeUndefined();
  });
});

describe('what is not plain', () => {
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
  ])('%s is refused with its path and what it is', (_, value, name) => {
    const told = `is ${name}, which TEST has no form for.`;
    expect(refusalOf(value)).toBe(`Cannot send this value: value ${told}`);
    expect(refusalOf([0, value])).toBe(`Cannot send this value: value[1] ${told}`);
    expect(refusalOf({ jobs: [{ a: 1 }, { b: [value] }] })).toBe(`Cannot send this value: value.jobs[1].b[0] ${told}`);
  });

  it('a list with a hole is refused at the hole, at once however long it is', () => {
    const sparse: unknown[] = [];
    sparse[4_294_967_290] = 1;
    expect(refusalOf({ a: sparse })).toMatch(/: value\.a\[0\] is of type undefined/);
  });

  it.each([
    ['a list with a property', Object.assign([1], { x: 1 }), 'is a list with more than its items'],
    ['a list whose class has toJSON()', new Listed(1), 'has toJSON()'],
    ['a list with toJSON()', Object.assign([1], { toJSON: () => 2 }), 'has toJSON()'],
    ['an object with a toJSON() that is hidden', hidden(), 'has toJSON()'],
    ['an object with a toJSON() that is inherited', Object.create(hidden(null)), 'is an object with a prototype'],
    ['a key that is a symbol', { [Symbol('a')]: 1 }, 'has toJSON(), or a property that is hidden'],
    ['a property that is hidden', Object.defineProperty({}, 'a', { value: 1 }), 'has toJSON(), or a property'],
    ['a property that is inherited', Object.create(Object.assign(Object.create(null), { a: 1 })), 'is an object with'],
    ['an instance of a class that extends null', Reflect.construct(Rootless, []), 'is a Rootless'],
  ])('%s is refused, for a serializer would follow it or leave it out', (_, value, told) => {
    expect(refusalOf({ a: value })).toContain(`value.a ${told}`);
  });

  it('a property "toJSON" that is no function is a property', () => {
    expect(() => assertSerializable({ toJSON: 1 }, 'TEST', (value) => typeof value !== 'object')).not.toThrow();
  });

  it('a number is told where the format has none like it', () => {
    expect(() => assertSerializable([1, NaN], 'TEST', Number.isFinite)).toThrow('value[1] is NaN, which TEST');
    expect(() => assertSerializable([-Infinity], 'TEST', Number.isFinite)).toThrow('value[0] is -Infinity, which TEST');
  });

  it('an own key "__proto__" is refused with the path of its object', () => {
    const evil: unknown = JSON.parse('[{ "a": { "__proto__": 1 } }]');
    expect(refusalOf(evil)).toBe('Cannot send this value: value[0].a has a key that is refused on arrival.');
  });

  it('a key that is no leaf of the format is refused', () => {
    expect(() => assertSerializable({ ab: 1 }, 'TEST', Number.isFinite)).toThrow('value has a key');
  });

  it('a cycle is refused, through lists and through objects', () => {
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

/** An object whose toJSON() no walk over its properties sees. */
/** A class whose instances have nothing of what all objects have. */
function Rootless(): void {}
Rootless.prototype = Object.create(null, { constructor: { value: Rootless } });

function hidden(prototype: object | null = Object.prototype): object {
  return Object.create(prototype, { toJSON: { value: () => 'another value' } });
}

const list = (length: number): unknown => Array.from({ length }, () => 0);
const object = (length: number): unknown => Object.fromEntries(Array.from({ length }, (_, i) => [`k${i}`, i]));

describe('limits', () => {
  it.each([
    ['lists', inList],
    ['objects', inObject],
  ])('%s are let through 32 deep and refused 33 deep, empty ones too', (_, wrap) => {
    expect(MAX_DEPTH).toBe(32);
    expect(refusalOf(nest(32, wrap))).toBeUndefined();
    expect(refusalOf(nest(31, wrap, []))).toBeUndefined();
    expect(refusalOf(nest(33, wrap))).toMatch(/value is nested deeper than 32 levels/);
    expect(refusalOf(nest(32, wrap, {}))).toMatch(/value is nested deeper than 32 levels/);
  });

  it('65,536 values are let through and one more is refused; containers are counted, keys and undefined are not', () => {
    expect(MAX_NODES).toBe(65_536);
    for (const make of [list, object]) {
      expect(refusalOf(make(65_535))).toBeUndefined();
      expect(refusalOf(make(65_536))).toMatch(/value holds more than 65536 values/);
    }
    expect(refusalOf({ list: list(65_533), empty: [], left: undefined })).toBeUndefined();
    expect(refusalOf({ list: list(65_534), empty: [] })).toMatch(/value holds more than 65536 values/);
  });

  it('what would be 2 ** 30 values in references to a few objects is refused', () => {
    const many = nest(30, (inner) => [inner, inner]);
    expect(refusalOf(many)).toMatch(/value holds more than 65536 values/);
  });
});

it('a subclass of Array is let through: it arrives as the list that it is', () => {
  expect(refusalOf(List.of(1, 2))).toBeUndefined();
});
