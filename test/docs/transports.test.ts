import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Transport } from '../../src/index.ts';
import { guarantees } from '../../src/transports/compliance.ts';
import { freePort } from '../helpers/program.ts';
import { readSnippets } from '../helpers/snippets.ts';

const execute = promisify(execFile);
const blocks = readSnippets().filter(
  ({ title, language }) => title.startsWith('docs/transports.md') && language === 'ts',
);

/** Where the package's name leads to what was built. */
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'socket-singleton-'));
  mkdirSync(join(folder, 'node_modules'));
  const project = fileURLToPath(new URL('../..', import.meta.url));
  symlinkSync(project, join(folder, 'node_modules', 'socket-singleton'), 'junction');
});

afterAll(() => rmSync(folder, { recursive: true }));

describe('the transport of the document', () => {
  const abilities = { reset: true, resources: { listener: 'TCPServerWrap', connection: 'TCPSocketWrap' } };

  for (const { title, check } of guarantees({ create: twoOfTheDocument, abilities })) test(title, check);
});

test('the block about memory does what its comments say', async () => {
  const { stdout, stderr } = await execute(process.execPath, [write('memory', blockWith('transports/memory'))]);
  expect(stdout).toBe('lost\n');
  expect(stderr).toContain('ERR_SINGLETON_HOST_UNRESPONSIVE');
});

test('the block about the suite runs it', async () => {
  const { stdout } = await execute(process.execPath, ['--test-reporter=tap', write('suite', blockWith('guarantees('))]);
  expect(stdout).toMatch(/^# pass 2\d$/m);
  expect(stdout).toMatch(/^# fail 0$/m);
});

async function twoOfTheDocument(): Promise<[Transport, Transport]> {
  const { localPort }: Example = await import(pathToFileURL(write('transport', blockWith('localPort('))).href);
  const port = await freePort();
  return [localPort(port), localPort(port)];
}

interface Example {
  readonly localPort: (port: number) => Transport;
}

function blockWith(text: string): string {
  const block = blocks.find((each) => each.text.includes(text));
  if (!block) throw new Error(`Expected a block with ${text}; there is none.`);
  return block.text;
}

/** As JavaScript, in a file. */
function write(name: string, text: string): string {
  const file = join(folder, `${name}.mjs`);
  const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 };
  writeFileSync(file, ts.transpileModule(text, { compilerOptions }).outputText);
  return file;
}
