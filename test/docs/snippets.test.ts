import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, onTestFinished, test } from 'vitest';
import { freePort } from '../helpers/program.ts';
import { python } from '../helpers/python.ts';
import { readSnippets } from '../helpers/snippets.ts';
import { programOf } from '../helpers/type-program.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const snippets = readSnippets();
const ofLanguage = (...languages: readonly string[]) => snippets.filter(({ language }) => languages.includes(language));

describe('the blocks of the documents', () => {
  test('use only languages that a test below, or a test of the protocol, checks', () => {
    expect(new Set(snippets.map(({ language }) => language))).toEqual(
      new Set(['ts', 'sh', 'console', 'python', 'ini', 'yaml', 'sql', 'hex', 'abnf', 'mermaid']),
    );
  });

  test('compile against the built package, strictly, if they are TypeScript', () => {
    const sources = new Map(
      ofLanguage('ts').map(({ title, text }) => [join(ROOT, `${title.replaceAll(/\W/g, '-')}.ts`), withImport(text)]),
    );
    expect(sources.size).toBeGreaterThan(5);
    expect(compile(sources)).toEqual([]);
  });
});

describe('the first block of README.md', () => {
  test('prints what the README shows when it is launched twice in an empty folder', async () => {
    const [source] = ofLanguage('ts');
    const [session] = ofLanguage('console');
    const lines = session?.text.trimEnd().split('\n') ?? [];
    const expected = lines.filter((line) => !line.startsWith('$'));
    const [, [name = '', ...args] = []] = lines.filter((line) => line.startsWith('$ node ')).map(wordsOf);
    const port = await freePort();
    const folder = mkdtempSync(join(tmpdir(), 'socket-singleton-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    mkdirSync(join(folder, 'node_modules'));
    symlinkSync(ROOT, join(folder, 'node_modules', 'socket-singleton'), 'junction');
    const file = join(folder, name);
    writeFileSync(file, (source?.text ?? '').replaceAll('21337', `${port}`));

    const host = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => void host.kill());
    let printed = '';
    host.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text));
    const prints = async (start: string): Promise<void> => {
      while (!printed.includes(start)) await once(host.stdout, 'data');
    };
    await prints('running');
    execFileSync(process.execPath, [file, ...args]);
    await prints(']\n');
    expect(printed.replace(`${port}`, '21337').trimEnd().split('\n')).toEqual(expected);
  });
});

if (!python) console.warn('Not tested, for want of python3: whether the Python blocks of the documents are Python.');

describe('the Python blocks of the documents', () => {
  test.runIf(python)('parse as Python', () => {
    for (const { text } of ofLanguage('python')) {
      execFileSync(python ?? '', ['-c', 'import ast, sys; ast.parse(sys.stdin.read())'], { input: text });
    }
  });
});

describe('the commands in the documents', () => {
  const commands = ofLanguage('sh').flatMap(({ text }) => Array.from(text.matchAll(/npm (?:run )?([\w:]+)/g)));

  test('exist as scripts of the package', () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    const names = commands.map(([, name]) => name).filter((name) => name !== 'ci' && name !== 'install');
    expect(names.length).toBeGreaterThan(5);
    for (const name of names) expect(scripts).toHaveProperty([`${name}`]);
  });

  test('include the two of the first page, word for word', () => {
    const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
    expect(readme).toContain('npm ci && npm run demo\nnpm ci && npm test\n');
  });

  test('print a secret of 32 bytes', () => {
    const [, script = ''] = /node -p "(.*?)"/.exec(readFileSync(join(ROOT, 'SECURITY.md'), 'utf8')) ?? [];
    const secret = execFileSync(process.execPath, ['-p', script], { encoding: 'utf8' }).trim();
    expect(Buffer.from(secret, 'base64url')).toHaveLength(32);
  });
});

/** What follows `$ node `, as a shell reads it. */
function wordsOf(command: string): readonly string[] {
  return Array.from(
    command.slice('$ node '.length).matchAll(/'([^']*)'|(\S+)/g),
    ([, quoted, word]) => quoted ?? word ?? '',
  );
}

function withImport(text: string): string {
  return text.includes('import ') ? text : `import { Singleton } from 'socket-singleton';\n${text}`;
}

/** As files of the package, so that its name resolves to its own `exports`. */
function compile(sources: ReadonlyMap<string, string>): readonly string[] {
  return ts
    .getPreEmitDiagnostics(programOf(sources))
    .map(({ file, messageText }) => `${file?.fileName ?? ''}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`);
}
