import { needsValue } from './syntax.ts';
import { type CommandSyntax, type Invocation, type OptionSyntax, UsageError } from './command.ts';

/**
 * Takes the command line of a command apart.
 * @throws UsageError for an option that the command does not have, or without a value that it needs
 */
export function parse(
  name: string,
  { options: known, operands: expected, takesCommand }: CommandSyntax,
  args: readonly string[],
): Invocation {
  const broken = args.find((arg) => arg.includes('\u{fffd}'));
  if (broken !== undefined) throw new UsageError(`"${broken}" is not UTF-8, or has the character U+FFFD.`);
  // Not an import: node:util reads all that it loads lazily, 1 ms of a launch.
  const { parseArgs } = process.getBuiltinModule('node:util');
  const config = Object.entries(known).map(([option, syntax]) => [
    option,
    { type: needsValue(syntax) ? ('string' as const) : ('boolean' as const), ...(option === 'help' && { short: 'h' }) },
  ]);
  const end = takesCommand ? args.indexOf('--') : -1;
  const { tokens } = parseArgs({
    args: end === -1 ? [...args] : args.slice(0, end),
    options: Object.fromEntries(config),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const options: Record<string, string | true> = {};
  const operands: string[] = [];
  for (const [at, token] of tokens.entries()) {
    if (token.kind === 'positional') {
      requireNoValueOf(known, tokens[at - 1], token.value);
      operands.push(token.value);
    }
    if (token.kind !== 'option') continue;
    const syntax = Object.hasOwn(known, token.name) ? known[token.name] : undefined;
    if (!syntax) throw new UsageError(`${token.rawName} is not an option of "${name}".${dashAdvice(expected)}`);
    options[token.name] = valueOf(token.name, syntax, token.value);
  }
  return { options, operands, command: end === -1 ? [] : args.slice(end + 1) };
}

/** A number right after an option whose value may be left out is meant as its value. */
function requireNoValueOf(
  known: CommandSyntax['options'],
  before: { readonly kind: string; readonly name?: string; readonly value?: unknown } | undefined,
  value: string,
): void {
  if (before?.name === undefined || before.value !== undefined || !known[before.name]?.isValueOptional) return;
  if (/^\d+(?:\.\d+)?$/.test(value))
    throw new UsageError(`"${value}" is not the value of --${before.name}: write --${before.name}=${value}.`);
}

/** For what was meant as an operand. */
function dashAdvice(operands: string): string {
  if (operands.startsWith('[ARG...]')) return ' Write "--" before an ARG that begins with a dash.';
  return operands.startsWith('ENDPOINT') ? ' An ENDPOINT does not begin with a dash.' : '';
}

function valueOf(name: string, syntax: OptionSyntax, given: string | undefined): string | true {
  if (given === undefined && needsValue(syntax)) throw new UsageError(`--${name} needs a ${syntax.value}.`);
  if (given !== undefined && syntax.value === undefined) throw new UsageError(`--${name} takes no value.`);
  return given ?? true;
}
