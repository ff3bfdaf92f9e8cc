import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';

const SRC = fileURLToPath(new URL('../src', import.meta.url));

/** From the ground up: a layer imports those before it. Layers on one line do not import each other. */
const LAYERS = [['interface'], ['transports', 'protocol'], ['codecs'], ['core'], ['index.ts'], ['cli']];
const MAX_FILES = 14;

interface Import {
  readonly from: string;
  readonly to: string;
  /** Whether it is an `import()` or an import of types alone, so that the file is not loaded with its importer. */
  readonly isLazy: boolean;
  /** Whether it imports types alone, as a part does that holds its owner. */
  readonly isType: boolean;
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .map((file) => file.replaceAll('\\', '/'))
  .filter((file) => file.endsWith('.ts'));
const imports = files.flatMap(importsOf);

describe('src', () => {
  test('imports downwards only', () => {
    expect(files.length).toBeGreaterThan(40);
    expect(imports.length).toBeGreaterThan(100);
    expect(imports.filter(isUpwards)).toEqual([]);
  });

  test('assigns each file to a layer', () => {
    expect(files.filter((file) => !LAYERS.flat().includes(layerOf(file)))).toEqual([]);
  });

  test('has no import circle, except types of owners in the same folder', () => {
    const done = new Set<string>();
    const circles: string[] = [];
    const visit = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' → '));
      if (path.includes(file) || done.has(file)) return;
      for (const { to } of imports.filter((one) => one.from === file && !isOwnerType(one))) visit(to, [...path, file]);
      done.add(file);
    };
    for (const file of files) visit(file, []);
    expect(circles).toEqual([]);
  });

  test('loads what only a host or a secret needs by import() alone', () => {
    const early = imports.filter(({ from, to, isLazy }) => isLoadedLater(to) && !isLoadedLater(from) && !isLazy);
    expect(early).toEqual([]);
  });

  test(`has at most ${MAX_FILES} files in a folder`, () => {
    const folders = files.map((file) => dirname(file));
    const sizeOf = (folder: string): number => folders.filter((other) => other === folder).length;
    expect(folders.filter((folder) => sizeOf(folder) > MAX_FILES)).toEqual([]);
  });

  test('has no file of more than 250 lines', () => {
    expect(files.map((file) => [file, linesOf(file)]).filter(([, lines]) => Number(lines) > 250)).toEqual([]);
  });
});

function linesOf(file: string): number {
  return readFileSync(join(SRC, file), 'utf8').trimEnd().split('\n').length;
}

function isUpwards({ from, to }: Import): boolean {
  const [above, below] = [from, to].map((file) => LAYERS.findIndex((layer) => layer.includes(layerOf(file))));
  return layerOf(from) !== layerOf(to) && !(Number(above) > Number(below));
}

function isOwnerType({ from, to, isType }: Import): boolean {
  return isType && dirname(from) === dirname(to);
}

function isLoadedLater(file: string): boolean {
  return /^(core\/(host|start)|protocol\/secure)\//.test(file);
}

function layerOf(file: string): string {
  return file.split('/')[0] ?? '';
}

function importsOf(from: string): readonly Import[] {
  const found: Import[] = [];
  const source = ts.createSourceFile(from, readFileSync(join(SRC, from), 'utf8'), ts.ScriptTarget.Latest, true);
  const add = (specifier: ts.Node | undefined, isLazy: boolean, isType: boolean): void => {
    if (!specifier || !ts.isStringLiteral(specifier) || !specifier.text.startsWith('.')) return;
    found.push({ from, to: posix.join(posix.dirname(from), specifier.text), isLazy, isType });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node))
      add(node.moduleSpecifier, hasOnlyTypes(node.importClause), hasOnlyTypes(node.importClause));
    else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly, node.isTypeOnly);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      add(node.arguments[0], true, false);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function hasOnlyTypes(clause: ts.ImportClause | undefined): boolean {
  if (!clause) return false;
  const { namedBindings } = clause;
  const isEachType =
    namedBindings && ts.isNamedImports(namedBindings) && namedBindings.elements.every((one) => one.isTypeOnly);
  return clause.phaseModifier === ts.SyntaxKind.TypeKeyword || isEachType === true;
}
