import { readFile } from 'node:fs/promises';
import { runtimeNames, type RuntimeName } from './runtimes.ts';

export type Result = 'ok' | 'fails' | 'not tried';

/** Runtime × feature, as rows of cells. The first row has the names of the runtimes. */
export type Table = readonly (readonly string[])[];

/** The results of features on runtimes, `not tried` until there is one. */
export class Results {
  readonly #results = new Map<string, Result>();

  set(feature: string, runtime: RuntimeName, result: Result): void {
    this.#results.set(`${feature} on ${runtime}`, result);
  }

  table(features: readonly string[]): Table {
    const rows = features.map((feature) => [
      feature,
      ...runtimeNames.map((runtime) => this.#results.get(`${feature} on ${runtime}`) ?? 'not tried'),
    ]);
    return [['feature', ...runtimeNames], ...rows];
  }
}

/** Markdown, with columns of one width. */
export function format([head = [], ...rows]: Table): string {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [head, widths.map((width) => '-'.repeat(width)), ...rows].map(line).join('\n');
}

/** The table of docs/runtimes.md. */
export async function readDocumented(): Promise<Table> {
  const text = await readFile(new URL('../../docs/runtimes.md', import.meta.url), 'utf8');
  const lines = text.split('\n').filter((line) => line.startsWith('|') && !line.startsWith('| -'));
  return lines.map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}
