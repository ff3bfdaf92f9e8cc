import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { programOf } from '../helpers/type-program.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const api = read('docs/api.md');

/** The headings of the API page that one part of the public types must have. */
interface Part {
  /** A type of the names, in terms of the public entry. */
  readonly names: string;
  readonly heading: (name: string) => string;
}

const PARTS = {
  option: { names: 'keyof SingletonOptions | keyof SendOptions', heading: (name) => `\`options.${name}\`` },
  event: { names: 'keyof SingletonEvents', heading: (name) => `Event: \`'${name}'\`` },
  client: { names: 'keyof Client', heading: member('client') },
  receipt: { names: 'keyof Receipt', heading: member('receipt') },
  code: { names: 'SingletonErrorCode', heading: (name) => `\`${name}\`` },
  static: { names: 'Exclude<keyof typeof Singleton, keyof typeof EventEmitter>', heading: member('Singleton') },
  member: { names: 'Exclude<keyof Singleton, keyof EventEmitter>', heading: member('app') },
} satisfies Record<string, Part>;

/** Values that the text under a heading must list. */
const VALUES = {
  '`receipt.outcome`': "Receipt['outcome']",
  "Event: `'release'`": 'ReleaseReason',
  "Event: `'verifyFailed'`": "VerifyFailure['reason'] | keyof VerifyFailure",
  'Diagnostics channels': "keyof DiagnosticsMessages | DiagnosticsMessages['socket-singleton:result']['result']",
  '`receipt.host`': 'keyof HostInfo',
};

const types = readTypes();
/** Methods without their parameters. */
const titles = new Set(headingsOf(api).map(({ title }) => title.replace(/\(.*\)`$/, '`')));

describe('docs/api.md', () => {
  it.each(Object.entries<Part>(PARTS))('has a heading for each %s', (part, { heading }) => {
    const names = types.names.get(part) ?? [];
    expect(names.length).toBeGreaterThan(1);
    expect(names.filter((name) => !titles.has(heading(name)))).toEqual([]);
  });

  it.each(Object.keys(VALUES))('lists each value of %s', (title) => {
    const values = types.names.get(title) ?? [];
    const section = sectionOf(title);
    expect(values.length).toBeGreaterThan(1);
    const isListed = (value: string): boolean => [value, `'${value}'`].some((text) => section.includes(`\`${text}\``));
    expect(values.filter((value) => !isListed(value))).toEqual([]);
  });

  it('names the type and the default of each option, as the source does', () => {
    for (const [name, defaultValue] of types.defaults) {
      const [, documented] = /^`[^`]+` · (default `[^`]+`|no default)$/m.exec(sectionOf(`\`options.${name}\``)) ?? [];
      expect(`${name}: ${documented}`).toBe(
        `${name}: ${defaultValue === undefined ? 'no default' : `default \`${defaultValue}\``}`,
      );
    }
  });

  it('has no heading for an option, event, member or code that does not exist', () => {
    const known = new Set(
      Object.entries<Part>(PARTS).flatMap(([part, { heading }]) => (types.names.get(part) ?? []).map(heading)),
    );
    const isOfPart = /^`(options|client|receipt|app|Singleton)\b.*`$|^Event: |^`ERR_/;
    expect(Array.from(titles).filter((title) => isOfPart.test(title) && !known.has(title))).toEqual([]);
  });

  it('states of each code once whether the launch may have been dispatched', () => {
    const groups = ['certainly not dispatched', 'may have been dispatched', 'Warnings of a host'];
    const counts = groups.map((group) => {
      const [, text = ''] = new RegExp(`^## [^\n]*${group}\n(.*?)(?=^## )`, 'ms').exec(api) ?? [];
      return headingsOf(text).length;
    });
    expect(counts.every((count) => count > 0)).toBe(true);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(types.names.get('code')?.length);
  });
});

describe('README.md', () => {
  const readme = read('README.md');

  it('has at most 200 lines', () => {
    expect(readme.trimEnd().split('\n').length).toBeLessThanOrEqual(200);
  });

  it('links every page of docs', () => {
    expect(pagesOf('docs').filter((page) => !readme.includes(`](${page})`))).toEqual([]);
  });

  it('has six recipes of at most six lines', () => {
    const [, recipes = ''] = /^## Recipes\n(.*?)(?=^## )/ms.exec(readme) ?? [];
    const lengths = Array.from(
      recipes.matchAll(/^```ts\n(.*?)^```$/gms),
      ([, body = '']) => body.split('\n').length - 1,
    );
    expect(lengths).toHaveLength(6);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(6);
  });
});

const documents = ['README.md', 'SECURITY.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...pagesOf('docs')];

describe('a document', () => {
  it.each(documents)('links only to files and headings that exist: %s', (name) => {
    const links = Array.from(proseOf(read(name)).matchAll(/\]\(([^)\s]+)\)/g), ([, target = '']) => target);
    expect(links.filter((target) => !/^[a-z]+:/.test(target) && !resolves(name, target))).toEqual([]);
  });
});

function read(name: string): string {
  return readFileSync(join(ROOT, name), 'utf8');
}

function pagesOf(folder: string): readonly string[] {
  const names = readdirSync(join(ROOT, folder)).filter((name) => name.endsWith('.md'));
  return names.map((name) => `${folder}/${name}`);
}

function member(owner: string): (name: string) => string {
  return (name) => (name.startsWith('[') ? `\`${owner}${name}\`` : `\`${owner}.${name}\``);
}

interface Heading {
  readonly title: string;
  readonly anchor: string;
}

/** With the anchors that GitHub gives them. */
function headingsOf(text: string): readonly Heading[] {
  const seen = new Map<string, number>();
  return Array.from(proseOf(text).matchAll(/^#{1,6} (.+)$/gm), ([, title = '']) => {
    const slug = title
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\p{M} _-]/gu, '')
      .replaceAll(' ', '-');
    const count = seen.get(slug) ?? 0;
    seen.set(slug, count + 1);
    return { title, anchor: count === 0 ? slug : `${slug}-${count}` };
  });
}

function proseOf(text: string): string {
  return text.replace(/^```.*?^```$/gms, '');
}

/** What follows a heading, up to the next one. */
function sectionOf(title: string): string {
  const heading = [`\n## ${title}\n`, `\n### ${title}\n`].find((text) => api.includes(text));
  if (heading === undefined) return '';
  return api.slice(api.indexOf(heading) + heading.length).split(/^#/m)[0] ?? '';
}

function resolves(from: string, target: string): boolean {
  const [path = '', anchor] = target.split('#');
  const file = path === '' ? from : normalize(join(dirname(from), path));
  if (!existsSync(join(ROOT, file))) return false;
  if (anchor === undefined) return true;
  if (statSync(join(ROOT, file)).isDirectory()) return false;
  return headingsOf(read(file)).some((heading) => heading.anchor === anchor);
}

interface Types {
  /** By part, or by the heading of values. */
  readonly names: ReadonlyMap<string, readonly string[]>;
  /** The `@default` of each option. */
  readonly defaults: ReadonlyMap<string, string | undefined>;
}

/** From the public types, wherever in the source they are declared. */
function readTypes(): Types {
  const queries = new Map([
    ...Object.entries<Part>(PARTS).map(([part, { names }]) => [part, names] as const),
    ...Object.entries(VALUES),
  ]);
  const lines = Array.from(queries.values(), (query, index) => `export type Query${index} = ${query};`);
  const imports = `import type { EventEmitter } from 'node:events';
import type { Client, DiagnosticsMessages, HostInfo, Receipt, ReleaseReason, Singleton, SingletonErrorCode, SingletonEvents,
  SendOptions, SingletonOptions, VerifyFailure } from './src/index.ts';
export type Options = SingletonOptions & SendOptions;`;
  const file = join(ROOT, 'api-names.ts');
  const program = programOf(new Map([[file, `${imports}\n${lines.join('\n')}\n`]]));
  const source = program.getSourceFile(file);
  expect(program.getSemanticDiagnostics(source)).toEqual([]);
  const checker = program.getTypeChecker();
  const module = source && checker.getSymbolAtLocation(source);
  const aliases = new Map((module ? checker.getExportsOfModule(module) : []).map((symbol) => [symbol.name, symbol]));
  const typeOf = (name: string): ts.Type => {
    const alias = aliases.get(name);
    if (!alias) throw new Error(`Expected a type ${name}; there is none.`);
    return checker.getDeclaredTypeOfSymbol(alias);
  };
  const names = Array.from(queries.keys(), (key, index) => {
    const type = typeOf(`Query${index}`);
    return [key, (type.isUnion() ? type.types : [type]).map(nameOf).filter((name) => name !== 'prototype')] as const;
  });
  const defaults = checker.getPropertiesOfType(typeOf('Options')).map((option) => {
    const tag = option.getJsDocTags(checker).find(({ name }) => name === 'default');
    return [option.name, tag && ts.displayPartsToString(tag.text)] as const;
  });
  return { names: new Map(names), defaults: new Map(defaults) };
}

/** A string literal, or a key such as `[Symbol.dispose]`. */
function nameOf(type: ts.Type): string {
  return type.isStringLiteral() ? type.value : `[Symbol.${type.symbol.name}]`;
}
