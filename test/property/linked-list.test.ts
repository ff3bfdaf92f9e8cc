import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LinkedList } from '../../src/interface/linked-list.ts';
import { type ListStep, listSteps } from './arbitraries.ts';

describe('LinkedList', () => {
  test('holds what a Set would hold, in the same order', () => {
    fc.assert(
      fc.property(listSteps(), (steps) => {
        const { list, model } = run(steps);
        expect(Array.from(list)).toStrictEqual(Array.from(model));
        expect(list.size).toBe(model.size);
      }),
    );
  });

  test('a loop skips what is removed before its turn, and what is added', () => {
    fc.assert(
      fc.property(listSteps(), listSteps(), fc.nat({ max: 5 }), (before, during, turn) => {
        const { list, model, take } = run(before);
        const expected = Array.from(model);
        const seen: number[] = [];
        for (const item of list) {
          seen.push(item);
          if (seen.length === turn + 1) during.forEach(take);
        }
        const later = expected.slice(turn + 1).filter((item) => model.has(item));
        expect(seen).toStrictEqual([...expected.slice(0, turn + 1), ...later]);
        expect(Array.from(list)).toStrictEqual(Array.from(model));
      }),
    );
  });

  test('what was removed does not keep what was beside it', async () => {
    const { outer, inner } = addAndRemove();
    // Until the end of a turn, a WeakRef keeps what it refers to.
    await setImmediate();
    collectGarbage();
    expect(inner.deref()).toBeUndefined();
    expect(outer).toHaveLength(2);
  });
});

/** Takes the steps with a list and with a Set. */
function run(steps: readonly ListStep[]): {
  list: LinkedList<number>;
  model: ReadonlySet<number>;
  take: (step: ListStep) => void;
} {
  const list = new LinkedList<number>();
  const model = new Set<number>();
  const removers: (() => void)[] = [];
  const take = (step: ListStep): void => {
    const item = step === 'add' ? removers.length : step % (removers.length + 1);
    if (step !== 'add') {
      removers[item]?.();
      return void model.delete(item);
    }
    removers.push(list.add(item));
    model.add(item);
  };
  steps.forEach(take);
  return { list, model, take };
}

/** Adds three items, and removes the two outer ones before the one between them. */
function addAndRemove(): { outer: readonly (() => void)[]; inner: WeakRef<object> } {
  const list = new LinkedList<object>();
  const item = {};
  const [removeFirst, remove, removeLast] = [list.add({}), list.add(item), list.add({})];
  for (const each of [removeFirst, removeLast, remove]) each();
  return { outer: [removeFirst, removeLast], inner: new WeakRef(item) };
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
}
