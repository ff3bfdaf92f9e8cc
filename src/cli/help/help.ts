import { createRequire } from 'node:module';
import { UsageError } from '../command.ts';
import { printLine } from '../output.ts';
import { type Command, COMMANDS, type CommandOption, ENDPOINTS, EXIT_STATUSES } from './texts.ts';

/** Text of a terminal in bold, or as it is. */
type Bold = (text: string) => string;

const WIDTH = 80;

export const SUMMARY = 'Run a program once, and hand arguments to the process that runs';

/** What `socket-singleton --help` prints. */
export function overview(bold: Bold): string {
  return [
    `${SUMMARY}.`,
    `${bold('Usage')}\n  socket-singleton COMMAND [OPTION...] [OPERAND...]`,
    `${bold('Commands')}\n${table(COMMANDS.map(({ name, summary }) => [name, summary]))}`,
    `${bold('Endpoints')}\n${table(ENDPOINTS)}`,
    `${bold('Exit status')}\n${table(EXIT_STATUSES)}`,
    `${bold('Options')}\n${table(OPTIONS)}`,
  ].join('\n\n');
}

/** Of the program. */
export const OPTIONS: readonly (readonly [string, string])[] = [
  ['--help, -h, help', 'show this help'],
  ['help COMMAND', 'show the options and examples of a command, as COMMAND --help and COMMAND -h do'],
  ['--version', 'print the version'],
];

/** What `socket-singleton COMMAND --help` prints. */
export function helpOf(command: Command, bold: Bold): string {
  const options = command.options.map((option) => [synopsisOf(option), option.summary] as const);
  const examples = command.examples.map(({ line, summary }) => `${indent(summary)}\n    ${line}`);
  return [
    command.summary,
    `${bold('Usage')}\n  ${usageOf(command)}`,
    indent(command.description, ''),
    `${bold('Options')}\n${table(options)}`,
    `${bold('Examples')}\n${examples.join('\n')}`,
  ].join('\n\n');
}

export function usageOf({ name, operands }: Command): string {
  return `socket-singleton ${name} [OPTION...] ${operands}`.trimEnd();
}

export function synopsisOf({ name, value, isValueOptional }: CommandOption): string {
  if (value === undefined) return `--${name}`;
  return isValueOptional ? `--${name}[=${value}]` : `--${name} ${value}`;
}

function table(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([name]) => name.length)) + 4;
  return rows
    .map(([name, text]) => `  ${name.padEnd(width - 2)}${wrap(text, WIDTH - width).join(`\n${' '.repeat(width)}`)}`)
    .join('\n');
}

function indent(text: string, by = '  '): string {
  return wrap(text, WIDTH - by.length)
    .map((line) => `${by}${line}`)
    .join('\n');
}

/** Lines of so many characters at most, but for a longer word. */
function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? '';
    if (line !== '' && line.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines;
}

/** Prints the help of a command, or the overview. */
export async function printHelp(name: string | undefined): Promise<number> {
  const command = COMMANDS.find((one) => one.name === name);
  if (name !== undefined && !command) throw new UsageError(`"${name}" is not a command.`);
  // It knows NO_COLOR, too.
  const hasColors = process.stdout.isTTY && process.stdout.hasColors();
  const bold: Bold = hasColors ? (text) => `\u{1b}[1m${text}\u{1b}[22m` : (text) => text;
  await printLine(command ? helpOf(command, bold) : overview(bold));
  return 0;
}

export async function printVersion(): Promise<number> {
  // The package by its own name: the build places this file elsewhere.
  const { version } = createRequire(import.meta.url)('socket-singleton/package.json');
  await printLine(version);
  return 0;
}
