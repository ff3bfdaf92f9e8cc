import type { CommandSyntax, OptionSyntax } from './command.ts';

export type CommandName = 'run' | 'send' | 'listen' | 'status' | 'stop' | 'secret' | 'completion';

const WAIT: OptionSyntax = { value: 'SECONDS', isValueOptional: true };
const TIMEOUT: OptionSyntax = { value: 'SECONDS' };
const SECRET_FILE: OptionSyntax = { value: 'FILE' };
const NAME: OptionSyntax = { value: 'NAME' };
const HELP: OptionSyntax = {};

/** All commands, in the order of the help. What it says of them is in help/texts.ts, which no launch loads. */
export const SYNTAX: Readonly<Record<CommandName, CommandSyntax>> = {
  run: {
    operands: 'ENDPOINT -- COMMAND [ARG...]',
    options: {
      wait: WAIT,
      status: { value: 'N' },
      send: {},
      timeout: TIMEOUT,
      'on-launch': { value: 'CMD' },
      'secret-file': SECRET_FILE,
      help: HELP,
    },
    takesCommand: true,
  },
  send: {
    operands: '[ARG...] ENDPOINT',
    options: {
      wait: WAIT,
      timeout: TIMEOUT,
      json: { value: 'VALUE' },
      codec: { value: 'CODEC', values: ['legacy', 'json', 'msgpack'] },
      'secret-file': SECRET_FILE,
      name: NAME,
      help: HELP,
    },
  },
  listen: {
    operands: 'ENDPOINT',
    options: { reply: { value: 'CMD' }, 'allow-stop': {}, 'secret-file': SECRET_FILE, name: NAME, help: HELP },
  },
  status: {
    operands: 'ENDPOINT',
    options: { json: {}, timeout: TIMEOUT, 'secret-file': SECRET_FILE, name: NAME, help: HELP },
  },
  stop: {
    operands: 'ENDPOINT',
    options: { wait: WAIT, timeout: TIMEOUT, 'secret-file': SECRET_FILE, name: NAME, help: HELP },
  },
  secret: { operands: '', options: { help: HELP } },
  completion: { operands: 'bash|zsh|fish', values: ['bash', 'zsh', 'fish'], options: { help: HELP } },
};

export function isCommandName(name: string): name is CommandName {
  return Object.hasOwn(SYNTAX, name);
}

export function needsValue({ value, isValueOptional }: OptionSyntax): boolean {
  return value !== undefined && !isValueOptional;
}
