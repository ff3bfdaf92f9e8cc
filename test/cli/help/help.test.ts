import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished, test } from 'vitest';
import { helpOf, overview, synopsisOf } from '../../../src/cli/help/help.ts';
import { COMMANDS, EXIT_STATUSES } from '../../../src/cli/help/texts.ts';
import { SYNTAX } from '../../../src/cli/syntax.ts';
import { execute } from '../../helpers/command-line.ts';
import { commandReference } from '../../helpers/command-reference.ts';

const plain = (text: string): string => text;
const joined = (text: string): string => text.replaceAll(/\s+/g, ' ');
const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');

describe.each(COMMANDS)('the help of $name', (command) => {
  const help = joined(helpOf(command, plain));

  it('has all options, each with a text, and two examples', () => {
    expect(command.options.map(({ name }) => name)).toEqual(Object.keys(SYNTAX[command.name].options));
    for (const option of command.options) {
      expect(option.summary).not.toBe('');
      expect(help).toContain(joined(`${synopsisOf(option)} ${option.summary}`));
    }
    expect(command.examples).toHaveLength(2);
    for (const { line } of command.examples) expect(line).toContain(`socket-singleton ${command.name}`);
  });

  it('has no line of more than 80 characters except examples', () => {
    const lines = helpOf(command, plain).split('\n');
    expect(lines.filter((line) => line.length > 80 && !line.includes('socket-singleton'))).toEqual([]);
  });

  it('is printed by --help, -h and help', async () => {
    const printed = await execute(command.name, '--help');
    expect(printed).toEqual({ status: 0, stdout: `${helpOf(command, plain)}\n`, stderr: '' });
    expect(await execute(command.name, '-h')).toEqual(printed);
    expect(await execute('help', command.name)).toEqual(printed);
  });
});

describe('--help', () => {
  it('lists all commands and exit statuses', async () => {
    const { status, stdout } = await execute('--help');
    expect([status, stdout]).toEqual([0, `${overview(plain)}\n`]);
    for (const { name, summary } of COMMANDS) expect(joined(stdout)).toContain(`${name} ${summary}`);
    for (const [status_, meaning] of EXIT_STATUSES) expect(joined(stdout)).toContain(`${status_} ${meaning}`);
    expect(await execute('-h')).toEqual(await execute('help'));
  });

  it('is bold only on a terminal that has colours', async () => {
    const { stdout } = process;
    const { isTTY } = stdout;
    const hasColors = Object.getOwnPropertyDescriptor(stdout, 'hasColors');
    onTestFinished(() => {
      Object.assign(stdout, { isTTY });
      if (hasColors) Object.defineProperty(stdout, 'hasColors', hasColors);
      else Reflect.deleteProperty(stdout, 'hasColors');
    });
    Object.assign(stdout, { isTTY: true, hasColors: () => true });
    expect((await execute('--help')).stdout).toContain('\u{1b}[1mUsage\u{1b}[22m');
    // As Node answers with NO_COLOR.
    Object.assign(stdout, { hasColors: () => false });
    expect((await execute('--help')).stdout).not.toContain('\u{1b}');
  });
});

describe('--version', () => {
  it('prints that of the package', async () => {
    const { version } = JSON.parse(read('package.json'));
    expect(await execute('--version')).toEqual({ status: 0, stdout: `${version}\n`, stderr: '' });
  });
});

describe('secret', () => {
  it('prints another one each time', async () => {
    const [one, other] = [await execute('secret'), await execute('secret')];
    expect(Buffer.from(one.stdout.trim(), 'base64url')).toHaveLength(32);
    expect(one.stdout).not.toBe(other.stdout);
  });
});

describe('docs/cli.md', () => {
  it('ends with what the help says', () => {
    expect(read('docs/cli.md').endsWith(`\n${commandReference()}`)).toBe(true);
  });
});

describe('README.md', () => {
  it('has examples of the help', () => {
    const lines = Array.from(read('README.md').matchAll(/`npx (socket-singleton [^`]+)`/g), ([, line]) => line);
    expect(lines.length).toBeGreaterThan(1);
    expect(COMMANDS.flatMap(({ examples }) => examples.map(({ line }) => line))).toEqual(expect.arrayContaining(lines));
  });
});

test('a launch loads nothing of the help', () => {
  const folder = fileURLToPath(new URL('../../../dist/cli/', import.meta.url));
  const files = readdirSync(folder).filter((name) => name.endsWith('.js'));
  const loaded = new Set(['index.js', 'main.js', 'send.js']);
  for (const file of loaded) {
    for (const [, name = ''] of readFileSync(`${folder}${file}`, 'utf8').matchAll(/from "\.\/([\w-]+\.js)"/g))
      loaded.add(name);
  }
  const withHelp = files.filter((file) =>
    readFileSync(`${folder}${file}`, 'utf8').includes('Deliver arguments to the host.'),
  );
  expect(withHelp).toEqual(['texts.js']);
  expect(
    Array.from(loaded).filter((file) => withHelp.includes(file) || file === 'help.js' || file === 'report.js'),
  ).toEqual([]);
});
