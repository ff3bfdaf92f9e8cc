import { OPTIONS, SUMMARY, synopsisOf, usageOf } from './help.ts';
import { type Command, COMMANDS, ENDPOINTS, EXIT_STATUSES } from './texts.ts';

/** The manual page in the language of man(7). `version` is that of the package. */
export function manualPage(version: string): string {
  return [
    `.TH SOCKET-SINGLETON 1 "" "socket-singleton ${version}"`,
    '.SH NAME',
    text(`socket-singleton - ${SUMMARY.charAt(0).toLowerCase()}${SUMMARY.slice(1)}`),
    '.SH SYNOPSIS',
    ...COMMANDS.map((command) => `.B ${text(usageOf(command))}\n.br`),
    '.SH ENDPOINTS',
    ...definitions(ENDPOINTS),
    ...COMMANDS.flatMap(section),
    '.SH OPTIONS',
    ...definitions(OPTIONS),
    '.SH EXIT STATUS',
    ...definitions(EXIT_STATUSES),
    '.SH SEE ALSO',
    '.BR flock (1)',
    '',
  ].join('\n');
}

function section(command: Command): readonly string[] {
  return [
    `.SH COMMAND ${text(command.name.toUpperCase())}`,
    text(command.summary),
    text(command.description),
    ...definitions(command.options.map((option) => [synopsisOf(option), option.summary] as const)),
    '.PP',
    'Examples:',
    ...command.examples.flatMap(({ line, summary }) => [
      '.PP',
      text(summary),
      '.PP',
      '.RS 4',
      `.nf\n${text(line)}\n.fi`,
      '.RE',
    ]),
  ];
}

function definitions(rows: readonly (readonly [string, string])[]): readonly string[] {
  return rows.flatMap(([term, meaning]) => ['.TP', `.B ${text(term)}`, text(meaning)]);
}

/** A backslash, a dash and a dot or an apostrophe at the start of a line have a meaning of their own. */
function text(plain: string): string {
  return plain
    .replaceAll('\\', String.raw`\e`)
    .replaceAll('-', String.raw`\-`)
    .replaceAll("'", String.raw`\(aq`)
    .replace(/^\./, String.raw`\&.`);
}
