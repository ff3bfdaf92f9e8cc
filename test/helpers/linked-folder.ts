import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** A temporary folder in which the name of the package resolves to the built package. */
export class LinkedFolder {
  readonly path: string = mkdtempSync(join(tmpdir(), 'socket-singleton-'));

  constructor() {
    mkdirSync(join(this.path, 'node_modules'));
    const project = fileURLToPath(new URL('../..', import.meta.url));
    symlinkSync(project, join(this.path, 'node_modules', 'socket-singleton'), 'junction');
  }

  /** Writes TypeScript as a JavaScript module and returns its path. */
  write(name: string, text: string): string {
    const file = join(this.path, `${name}.mjs`);
    const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 };
    writeFileSync(file, ts.transpileModule(text, { compilerOptions }).outputText);
    return file;
  }

  remove(): void {
    rmSync(this.path, { recursive: true });
  }
}
