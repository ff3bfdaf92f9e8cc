import { oneOperand } from '../arguments.ts';
import { type Invocation, type OptionSyntax, UsageError } from '../command.ts';
import { type Command, COMMANDS, type CommandOption } from '../help/texts.ts';
import { printLine } from '../output.ts';
import { needsValue } from '../syntax.ts';

export async function run({ operands }: Invocation): Promise<number> {
  const shell = oneOperand(operands, 'SHELL');
  if (!Object.hasOwn(SCRIPTS, shell)) throw new UsageError(`"${shell}" is not bash, zsh or fish.`);
  await printLine(String(SCRIPTS[shell]?.()));
  return 0;
}

const SCRIPTS: Readonly<Record<string, () => string>> = {
  bash,
  zsh: () => `autoload -U +X bashcompinit && bashcompinit\n${bash()}`,
  fish,
};

/** zsh reads it, too. */
function bash(): string {
  const cases = COMMANDS.map((command) => `    ${command.name}) words='${wordsOf(command).join(' ')}' ;;`);
  return `_socket_singleton() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" words='' index
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then words='${NAMES.join(' ')} help --help --version'; fi
  case "$previous" in
${valueCases().join('\n')}
  esac
  if [ "\${COMP_WORDS[1]}" = help ]; then words='${NAMES.join(' ')}'; fi
  words=" $words "
  for ((index = 2; index < COMP_CWORD; index++)); do
    case "\${COMP_WORDS[1]} \${COMP_WORDS[index]}" in
      'run --')
        COMPREPLY=()
        if [ "$previous" = -- ]; then COMPREPLY=($(compgen -c -- "$current")); fi
        return ;;
      # Not a second time.
      *' --'*) words="\${words/ \${COMP_WORDS[index]} / }" ;;
    esac
  done
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _socket_singleton socket-singleton`;
}

const NAMES = COMMANDS.map(({ name }) => name);

function wordsOf({ options, values = [] }: Command): readonly string[] {
  return [...values, ...options.map(({ name }) => `--${name}`)];
}

/** After an option that needs a value: its values, or none, for which bash offers files. */
function valueCases(): readonly string[] {
  const options = COMMANDS.flatMap((command) => command.options).filter(needsValue);
  const patterns = new Map<string, Set<string>>();
  for (const { name, values = [] } of options) {
    const words = values.join(' ');
    patterns.set(words, (patterns.get(words) ?? new Set()).add(`--${name}`));
  }
  return Array.from(patterns, ([words, names]) => `    ${Array.from(names).join(' | ')}) words='${words}' ;;`);
}

function fish(): string {
  const commands = COMMANDS.map(
    ({ name, summary }) => `${FISH} -n __fish_use_subcommand -a ${name} -d ${quote(summary)}`,
  );
  const values = COMMANDS.flatMap(({ name, values: words = [] }) =>
    words.length > 0 ? [`${FISH} -n '__fish_seen_subcommand_from ${name}' -xa ${quote(words.join(' '))}`] : [],
  );
  return [...commands, ...COMMANDS.flatMap(fishOptions), ...values].join('\n');
}

const FISH = 'complete -c socket-singleton';

function fishOptions({ name, options }: Command): readonly string[] {
  const condition = `-n '__fish_seen_subcommand_from ${name}'`;
  return options.map(
    (option) => `${FISH} ${condition} -l ${option.name}${fishValue(option)} -d ${quote(option.summary)}`,
  );
}

function fishValue(option: OptionSyntax & CommandOption): string {
  const { values = [] } = option;
  if (values.length > 0) return ` -xa ${quote(values.join(' '))}`;
  return needsValue(option) ? ' -r' : '';
}

function quote(text: string): string {
  return `'${text.replaceAll(/['\\]/g, String.raw`\$&`)}'`;
}
