import { OPTIONS, synopsisOf, usageOf } from '../../src/cli/help/help.ts';
import { type Command, COMMANDS, ENDPOINTS, EXIT_STATUSES } from '../../src/cli/help/texts.ts';

/** The part of docs/cli.md that is made from the texts of the help. */
export function commandReference(): string {
  const parts = [
    '## Endpoints',
    list(ENDPOINTS),
    ...COMMANDS.flatMap(section),
    '## Options of the program',
    list(OPTIONS),
    '## Exit statuses',
    list(EXIT_STATUSES),
  ];
  return `${parts.join('\n\n')}\n`;
}

function section(command: Command): readonly string[] {
  const { name, summary, description, options, examples } = command;
  return [
    `## \`${name}\``,
    fill(`${summary} ${description}`.replaceAll(/(<&3|"\$@")/g, '`$1`')),
    `\`\`\`sh\n${usageOf(command)}\n\`\`\``,
    list(options.map((option) => [synopsisOf(option), option.summary])),
    ['```sh', ...examples.flatMap(({ line, summary: what }) => [`# ${what}`, line]), '```'].join('\n'),
  ];
}

function list(rows: readonly (readonly [string, string])[]): string {
  return rows.map(([term, meaning]) => fill(`- \`${term}\`: ${meaning}`, '  ')).join('\n');
}

const WIDTH = 132;

/** Lines of so many characters, all but the first one indented. No line begins with what Markdown takes for a list. */
function fill(text: string, indent = ''): string {
  return text.split(/ (?![-+*] |\d+\. )/).reduce((filled, word) => {
    const length = filled.length - filled.lastIndexOf('\n');
    return length + word.length > WIDTH ? `${filled}\n${indent}${word}` : `${filled} ${word}`;
  });
}
