import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ROOT = new URL('../../examples/', import.meta.url);

/** The path of a file or folder of the examples. */
export function example(name: string): string {
  return fileURLToPath(new URL(name, ROOT));
}

/** The examples that have a README. */
export function namesOfExamples(): readonly string[] {
  const folders = readdirSync(ROOT, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return folders.map(({ name }) => name).filter((name) => readdirSync(example(name)).includes('README.md'));
}

/** A command of a README, and the lines that it prints there. */
export interface Command {
  readonly command: string;
  readonly output: readonly string[];
}

/** The commands of the blocks of a README, by block. */
export function commandsOf(name: string): readonly (readonly Command[])[] {
  const text = readFileSync(example(`${name}/README.md`), 'utf8');
  return Array.from(text.matchAll(/^```console\n(.*?)^```$/gms), ([, block = '']) =>
    block.split(/^\$ /m).slice(1).map(readCommand),
  );
}

function readCommand(text: string): Command {
  const [command = '', ...output] = text.trimEnd().split('\n');
  return { command, output };
}
