import { expect } from 'vitest';
import { readSnippets } from './snippets.ts';
import { EMPTY } from './wire.ts';

export const messages: ReadonlyMap<string, Buffer> = readMessages();

/** Every message of the hex blocks, by its name: the text after `#`, without the direction. */
function readMessages(): ReadonlyMap<string, Buffer> {
  const blocks = readSnippets().filter(
    ({ title, language }) => title.startsWith('docs/protocol.md') && language === 'hex',
  );
  const found = new Map<string, Buffer>();
  let name = '';
  for (const line of blocks.flatMap(({ text }) => text.trimEnd().split('\n'))) {
    if (line.startsWith('# ')) {
      name = line.slice(2).replace(/, (client|host) → .*/, '');
      if (found.has(name)) throw new Error(`two messages are named "${name}"`);
      found.set(name, EMPTY);
    } else {
      const [bytes] = /^[\da-f]{2}( [\da-f]{2})*(?=$| {2,}\S)/.exec(line) ?? [];
      if (bytes === undefined || name === '') throw new Error(`no bytes in the line "${line}"`);
      found.set(name, Buffer.concat([found.get(name) ?? EMPTY, Buffer.from(bytes.replaceAll(' ', ''), 'hex')]));
    }
  }
  return found;
}

/** A message of the document, a copy. */
export function example(name: string): Buffer {
  const bytes = messages.get(name);
  if (!bytes) throw new Error(`the document has no message "${name}"`);
  return Buffer.from(bytes);
}

export function expectBytes(name: string, bytes: Uint8Array): void {
  expect(example(name).toString('hex')).toBe(Buffer.from(bytes).toString('hex'));
}
