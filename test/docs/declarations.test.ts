import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';

const ENTRIES = [
  'index',
  'codecs/json',
  'codecs/msgpack',
  'codecs/length-prefixed',
  'transports/pipe',
  'transports/systemd',
  'transports/memory',
  'transports/lease',
  'transports/etcd',
  'transports/postgres',
  'transports/compliance',
];

const fileOf = (entry: string): string => fileURLToPath(new URL(`../../dist/${entry}.d.ts`, import.meta.url));
// One for all: each would read the declarations of the language and of Node again.
const program = ts.createProgram(ENTRIES.map(fileOf), { module: ts.ModuleKind.NodeNext, types: ['node'] });
const checker = program.getTypeChecker();

/** The one base class that is not ours. */
const INHERITED = 'TypedEventEmitter';

describe('a declaration file', () => {
  test.each(ENTRIES)('has a comment on every export of %s and on every member of one', (entry) => {
    const file = fileOf(entry);
    const source = program.getSourceFile(file);
    const module = source && checker.getSymbolAtLocation(source);
    const exported = module ? checker.getExportsOfModule(module) : [];
    const symbols = exported.map((symbol) => checker.getAliasedSymbol(symbol));
    const found = [...symbols, ...symbols.flatMap((symbol) => membersOf(symbol, file))];
    expect(found.length).toBeGreaterThan(entry === 'index' ? 100 : 0);
    expect(found.filter((symbol) => symbol.getDocumentationComment(checker).length === 0).map(nameOf)).toEqual([]);
  });
});

/** What is declared in our file, prototypes and other people's members left out. */
function membersOf(symbol: ts.Symbol, file: string): ts.Symbol[] {
  const type = checker.getDeclaredTypeOfSymbol(symbol);
  return type
    .getProperties()
    .filter(
      (member) =>
        member.declarations?.some(
          (node) => node.getSourceFile().fileName === file && nameOfParent(node) !== INHERITED && !isOverride(node),
        ) && !member.name.includes('#'),
    );
}

function isOverride(node: ts.Declaration): boolean {
  return (
    ts.canHaveModifiers(node) &&
    (ts.getModifiers(node) ?? []).some(({ kind }) => kind === ts.SyntaxKind.OverrideKeyword)
  );
}

function nameOfParent({ parent }: ts.Node): string | undefined {
  return ts.isInterfaceDeclaration(parent) ? parent.name.text : undefined;
}

function nameOf(symbol: ts.Symbol): string {
  const parent = symbol.declarations?.[0] && nameOfParent(symbol.declarations[0]);
  return parent === undefined ? symbol.name : `${parent}.${symbol.name}`;
}
