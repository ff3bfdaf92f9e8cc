import { isDeepStrictEqual } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { messageOf } from '../../src/interface/errors.ts';
import { features } from '../helpers/runtime-features.ts';
import { format, readDocumented, Results } from '../helpers/runtime-table.ts';
import { fetchRuntime, type Runtime, type RuntimeName, runtimeNames } from '../helpers/runtimes.ts';
import { Trial } from '../helpers/trial.ts';

const runtimes = new Map<RuntimeName, Runtime>();
const results = new Results();

beforeAll(() =>
  Promise.all(
    runtimeNames.map(async (name) => {
      try {
        runtimes.set(name, await fetchRuntime(name));
      } catch (error) {
        console.warn(`NOT TESTED: ${name}. ${messageOf(error)}`);
      }
    }),
  ),
);

describe.each(runtimeNames)('the built package on %s', { concurrent: true }, (name) => {
  for (const { name: feature, observe, expected } of features) {
    it(`passes "${feature}"`, async (context) => {
      const trialOn = (each: RuntimeName): Trial => {
        const runtime = runtimes.get(each);
        return runtime ? new Trial(runtime, context.onTestFinished) : context.skip(`${each} could not be fetched`);
      };
      const [trial, node20] = [trialOn(name), trialOn('Node 20')];
      results.set(feature, name, 'fails');
      const seen = await observe(trial, node20);
      if (isDeepStrictEqual(seen, expected)) results.set(feature, name, 'ok');
      expect(seen).toEqual(expected);
    });
  }
});

describe('docs/runtimes.md', () => {
  it('has the table of what was tried', async () => {
    const seen = results.table(features.map(({ name }) => name));
    const versions = runtimeNames.flatMap((name) => runtimes.get(name)?.version ?? []);
    console.log(`${format(seen)}\n\nTried with ${versions.join(', ')}.`);
    const documented = await readDocumented();
    const expected = seen.map((row, at) =>
      row.map((cell, column) => (cell === 'not tried' ? documented[at]?.[column] : cell)),
    );
    expect(documented.map(joined)).toEqual(expected.map(joined));
  });
});

function joined(cells: readonly (string | undefined)[]): string {
  return cells.join(' | ');
}
