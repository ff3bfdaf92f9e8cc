import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { example, namesOfExamples } from '../helpers/examples.ts';

describe.each(namesOfExamples())('examples/%s', (name) => {
  it('has at most 60 lines, types included', () => {
    const files = readdirSync(example(name)).filter((file) => /\.(js|ts)$/.test(file));
    expect(files.length).toBeGreaterThan(0);
    const lines = files.flatMap((file) =>
      readFileSync(example(`${name}/${file}`), 'utf8')
        .trimEnd()
        .split('\n'),
    );
    expect(lines.length).toBeLessThanOrEqual(60);
  });
});

describe('a README of the examples', () => {
  it.each(['README.md', ...namesOfExamples().map((name) => `${name}/README.md`)])('links only to files: %s', (name) => {
    const text = readFileSync(example(name), 'utf8');
    const paths = Array.from(text.matchAll(/\]\(([^)#]+)/g), ([, path = '']) => path);
    const local = paths.filter((path) => !path.startsWith('https:'));
    expect(local.filter((path) => !existsSync(join(dirname(example(name)), path)))).toEqual([]);
  });

  it('links every example', () => {
    const text = readFileSync(example('README.md'), 'utf8');
    expect(namesOfExamples().filter((name) => !text.includes(`](${name}/README.md)`))).toEqual([]);
  });
});
