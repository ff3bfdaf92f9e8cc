import { readdirSync, readFileSync } from 'node:fs';

/** A fenced block of a document. */
export interface Snippet {
  readonly title: string;
  readonly language: string;
  readonly text: string;
}

const ROOT = new URL('../..', import.meta.url);

/** Every fenced block of every document, in order. */
export function readSnippets(): readonly Snippet[] {
  const names = [
    'README.md',
    'SECURITY.md',
    'CONTRIBUTING.md',
    ...readdirSync(new URL('docs', ROOT)).map((name) => `docs/${name}`),
  ];
  return names.filter((name) => name.endsWith('.md')).flatMap(readDocument);
}

function readDocument(name: string): readonly Snippet[] {
  const text = readFileSync(new URL(name, ROOT), 'utf8');
  return Array.from(text.matchAll(/^```(\w+)\n(.*?)^```$/gms), ([, language = '', body = ''], index) => ({
    title: `${name} block ${index + 1}`,
    language,
    text: body,
  }));
}

/** The first TypeScript block of a document that contains the text. */
export function snippetWith(name: string, text: string): string {
  const found = readDocument(name).find((block) => block.language === 'ts' && block.text.includes(text));
  if (!found) throw new Error(`Expected a TypeScript block with "${text}" in ${name}; there is none.`);
  return found.text;
}
