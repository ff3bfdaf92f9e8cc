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
  # bash takes "=" for a word of its own.
  if [ "$current" = = ]; then
    current='' words=''
  elif [ "$previous" = = ]; then
    previous="\${COMP_WORDS[COMP_CWORD-2]}" words=''
  fi
  if [ "$COMP_CWORD" -eq 1 ]; then words='${NAMES.join(' ')} help --help --version'; fi
  case "$previous" in
${valueCases().join('\n')}
  esac
  if [ "\${COMP_WORDS[1]} $COMP_CWORD" = 'help 2' ]; then words='${NAMES.join(' ')}'; fi
  words=" $words "
  for ((index = 2; index < COMP_CWORD; index++)); do
    case "\${COMP_WORDS[1]} \${COMP_WORDS[index]}" in
      'run --')
        COMPREPLY=()
        if [ "$previous" = -- ]; then COMPREPLY=($(compgen -c -- "$current")); fi
        return ;;
${operandCases().join('\n')}
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

/** After an operand that has values: no second one. */
function operandCases(): readonly string[] {
  return COMMANDS.flatMap(({ name, values = [] }) => {
    const patterns = values.map((value) => `'${name} ${value}'`);
    return values.length > 0 ? [`      ${patterns.join(' | ')}) words="\${words/ ${values.join(' ')} / }" ;;`] : [];
  });
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
  const commands = COMMANDS.map(({ name, summary }) => `${FISH_FIRST} -a ${name} -d ${quote(summary)}`);
  const values = COMMANDS.flatMap(({ name, values: words = [] }) =>
    words.length > 0 ? [fishOperand(name, words)] : [],
  );
  return [
    FISH_CONDITIONS,
    ...commands,
    `${FISH_FIRST} -a help -d ${quote('Show the help, or that of a command.')}`,
    `${FISH_FIRST} -l help -d 'show the help'`,
    `${FISH_FIRST} -l version -d 'print the version'`,
    fishOperand('help', NAMES),
    ...COMMANDS.flatMap(fishOptions),
    ...values,
  ].join('\n');
}

/** fish has a condition for a command at any place of the line. This one is for the first word after the program. */
const FISH_CONDITIONS = `function __socket_singleton_words
  test (count (commandline -opc)) -eq $argv[1]
end
function __socket_singleton_command
  set -l words (commandline -opc)
  test (count $words) -ge 2; and test $words[2] = $argv[1]
end`;

const FISH = 'complete -c socket-singleton';
const FISH_FIRST = `${FISH} -n '__socket_singleton_words 1'`;

/** The first operand of a command. */
function fishOperand(name: string, words: readonly string[]): string {
  const condition = `__socket_singleton_command ${name}; and __socket_singleton_words 2`;
  return `${FISH} -n '${condition}' -xa ${quote(words.join(' '))}`;
}

function fishOptions({ name, options }: Command): readonly string[] {
  const condition = `-n '__socket_singleton_command ${name}'`;
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
