import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

type Replacement = readonly [text: string, by: string];

/** Faults of a host, which tests must find: what is replaced in the chunk of the build that a host of a lease loads. */
const MUTANTS = {
  /** It believes in its lease for about twice the TTL. */
  twice: [['const VALID = .9', 'const VALID = 1.8']],
  /** `isHeld()` says yes until the timer has ended it: there is no look at the clock. */
  'no-check': [
    ['return this.#isValid() ? (', 'return this.#state === "held" ? ('],
    [
      'setTimeout(() => this.isHeld() && this.#scheduleExpiry()',
      'setTimeout(() => this.#isValid() && this.#scheduleExpiry()',
    ],
  ],
} as const satisfies Record<string, readonly Replacement[]>;

export type Mutant = keyof typeof MUTANTS;

/** Copies the build with one fault. Returns the URL of its folder. */
export function buildMutant(name: Mutant, onFinished: (remove: () => void) => unknown): string {
  const folder = mkdtempSync(join(tmpdir(), 'socket-singleton-mutant-'));
  onFinished(() => rmSync(folder, { recursive: true, force: true }));
  const dist = join(folder, 'dist');
  cpSync(fileURLToPath(new URL('../../dist', import.meta.url)), dist, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  const path = join(dist, 'lease-host.js');
  let code = readFileSync(path, 'utf8');
  for (const [text, by] of MUTANTS[name]) {
    if (code.split(text).length !== 2) throw new Error(`Expected "${text}" once in dist/lease-host.js.`);
    code = code.replace(text, by);
  }
  writeFileSync(path, code);
  return `${pathToFileURL(dist).href}/`;
}
