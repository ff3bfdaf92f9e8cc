import type { CommandSyntax, OptionSyntax } from '../command.ts';
import { type CommandName, SYNTAX } from '../syntax.ts';

/** A command line that a person can copy. */
export interface Example {
  readonly line: string;
  readonly summary: string;
}

/** What the help says of a command. */
interface CommandText {
  readonly summary: string;
  readonly description: string;
  /** By the name of the option. */
  readonly options: Readonly<Record<string, string>>;
  readonly examples: readonly [Example, Example];
}

const HELP = 'show this help';
const SECRET_FILE = 'the file with the secret, of mode 0600; without it no side proves its identity';
const NAME = 'the name of the application (option "name" of the library)';
const TIMEOUT = 'how long it may take to reach the host; default: 10';
const BY_SHELL =
  'the arguments are "$@", and the directory and the process of a launch with json are SOCKET_SINGLETON_CWD and ' +
  'SOCKET_SINGLETON_PID; its output and status go to a launch that waits, another status than 0 of any other one is a line on stderr';

const TEXTS: Readonly<Record<CommandName, CommandText>> = {
  run: {
    summary: 'Run a command while the endpoint is held, once at a time.',
    description:
      'The first one runs the command, and exits with its status. A second one exits at once. The command inherits the ' +
      'socket as descriptor 4, so the endpoint is held until the command has ended, also if this process is killed. Signals ' +
      'go to the command. The status is 4 if another program holds the endpoint, or if the first one has another secret.',
    options: {
      wait: 'wait until the endpoint is free, for so long at most; then the status is 75, or N',
      status: 'the exit status of a second one, 0 to 255, also if it could not wait or deliver; default: 0',
      send:
        'a second one delivers ARG... to the first, whose command reads them from descriptor 3 (<&3), one line of JSON for each ' +
        'launch; not with --wait',
      timeout: `with --send: ${TIMEOUT}`,
      'on-launch': `the first one runs this shell command for each launch, one at a time, instead of descriptor 3: ${BY_SHELL}`,
      'secret-file': SECRET_FILE,
      help: HELP,
    },
    examples: [
      { line: 'socket-singleton run backup -- ./backup.sh', summary: 'Start a backup, unless one is running.' },
      {
        line: 'socket-singleton run --wait=60 --status 75 deploy -- make deploy',
        summary: 'Wait a minute for another deployment to end.',
      },
    ],
  },
  send: {
    summary: 'Deliver arguments to the host.',
    description:
      'The last operand is the endpoint. With --wait, stdin, stdout, stderr and the exit status are those of the host, and a ' +
      'reply is printed: a string as it is, another value as JSON.',
    options: {
      wait: 'wait for the result; delivery and result take so long at most, then the status is 75 and the launch may have run',
      timeout: TIMEOUT,
      json: 'deliver this JSON value instead of ARG...',
      codec:
        'legacy, json or msgpack; default: json, or legacy if the host accepts only that; at a port without --wait, --json, ' +
        '--secret-file and --name legacy is tried first, because a Python host does not answer json; listen and run accept json ' +
        'and legacy only',
      'secret-file': SECRET_FILE,
      name: NAME,
      help: HELP,
    },
    examples: [
      {
        line: 'socket-singleton send open notes.txt editor',
        summary: 'Deliver two arguments to the host named editor.',
      },
      {
        line: `socket-singleton send --wait --json '{"file":"a.ts"}' tcp://127.0.0.1:21337`,
        summary: 'Deliver an object, and print the reply.',
      },
    ],
  },
  listen: {
    summary: 'Be a host, and print each launch as a line of JSON.',
    description:
      'A line has "args", and "cwd" and "pid" of a launch with json. When it is interrupted, it ends after what it has begun, and a ' +
      'second signal ends the commands of --reply. It also ends when it finds that its output was closed. If there is a host already, the status is 75. Without --secret-file and --name ' +
      'it accepts json and legacy, else json only.',
    options: {
      reply: `run this shell command for each launch, up to 40 at a time: ${BY_SHELL}`,
      'allow-stop': 'let "socket-singleton stop" end it, with the secret if there is one',
      'secret-file': SECRET_FILE,
      name: NAME,
      help: HELP,
    },
    examples: [
      {
        line: `socket-singleton listen inbox | while read -r launch; do printf '%s\\n' "$launch"; done`,
        summary: 'Handle launches in a shell.',
      },
      {
        line: `socket-singleton listen --reply 'cd "$SOCKET_SINGLETON_CWD" && wc -c -- "$@"' counter`,
        summary: 'Answer each launch by a command.',
      },
    ],
  },
  status: {
    summary: 'Show who the host is.',
    description:
      'The status is 0 if a host answers, and 3 if nobody does. Of a host with another codec than json only ' +
      'the endpoint is known.',
    options: { json: 'print JSON', timeout: TIMEOUT, 'secret-file': SECRET_FILE, name: NAME, help: HELP },
    examples: [
      { line: 'socket-singleton status editor', summary: 'Show the process and the launches of a host.' },
      { line: 'socket-singleton status --json editor || echo nobody', summary: 'Ask in a script.' },
    ],
  },
  stop: {
    summary: 'Ask the host to release the endpoint.',
    description:
      'The host must allow it (--allow-stop, or the option "allowReplace" of the library). It finishes the launches that it has begun. ' +
      'The endpoint is free when this command ends.',
    options: {
      wait:
        'wait until the process of the host has ended, too, for so long at most; then the status is 75; only for a name, a path or ' +
        'a loopback address, and at once if this machine has no such process, as for a host in a container',
      timeout: TIMEOUT,
      'secret-file': SECRET_FILE,
      name: NAME,
      help: HELP,
    },
    examples: [
      { line: 'socket-singleton stop editor', summary: 'Free the endpoint.' },
      { line: 'socket-singleton stop --wait editor && echo stopped', summary: 'Wait for the end of the host.' },
    ],
  },
  secret: {
    summary: 'Print a new secret.',
    description: 'Host and clients need the same. Keep it in a file of mode 0600.',
    options: { help: HELP },
    examples: [
      { line: '(umask 077; socket-singleton secret > secret)', summary: 'Write it to a file that only you can read.' },
      { line: 'export APP_SECRET="$(socket-singleton secret)"', summary: 'Keep it in the environment.' },
    ],
  },
  completion: {
    summary: 'Print a completion script for a shell.',
    description: 'Read it at the start of the shell.',
    options: { help: HELP },
    examples: [
      { line: 'source <(socket-singleton completion bash)', summary: 'In ~/.bashrc; with zsh in ~/.zshrc.' },
      {
        line: 'socket-singleton completion fish > ~/.config/fish/completions/socket-singleton.fish',
        summary: 'For fish, once.',
      },
    ],
  },
};

export interface CommandOption extends OptionSyntax {
  /** Without the dashes. */
  readonly name: string;
  readonly summary: string;
}

/** How a command is written, and what the help says of it. */
export interface Command extends Pick<CommandSyntax, 'operands' | 'values'>, Omit<CommandText, 'options'> {
  readonly name: CommandName;
  readonly options: readonly CommandOption[];
}

/** All commands, in the order of the help. */
export const COMMANDS: readonly Command[] = Object.keys(SYNTAX).filter(isName).map(commandOf);

function isName(name: string): name is CommandName {
  return Object.hasOwn(TEXTS, name);
}

function commandOf(name: CommandName): Command {
  const syntax = SYNTAX[name];
  const { options, ...text } = TEXTS[name];
  const named = Object.entries(syntax.options).map(([option, how]) =>
    Object.assign({ name: option, summary: options[option] ?? '' }, how),
  );
  return { name, operands: syntax.operands, ...(syntax.values && { values: syntax.values }), ...text, options: named };
}

/** What an endpoint can be. */
export const ENDPOINTS: readonly (readonly [endpoint: string, meaning: string])[] = [
  [
    'NAME',
    'a Unix socket, or on Windows a named pipe, of this user, by a name such as "editor", which begins with no dash',
  ],
  ['PATH', 'a Unix socket at a path, which has a slash, but none at its end; unix://PATH is the same'],
  ['tcp://HOST:PORT', 'a TCP port from 1 to 65535, such as tcp://127.0.0.1:21337'],
  [
    'etcd://HOST:PORT[,HOST:PORT...]/KEY',
    'a key of etcd (over http), with one host on many machines; needs --secret-file. If "run" is killed, its key expires after 6 seconds, and its command goes on',
  ],
];

/** The exit statuses. With "run" and "send --wait" they may be those of the command and of the host, too. */
export const EXIT_STATUSES: readonly (readonly [status: string, meaning: string])[] = [
  ['0', 'all is well; with "run" also: another one runs'],
  ['1', 'it failed; what was delivered may have run'],
  ['2', 'the command line or an option is wrong; nothing was delivered'],
  ['3', 'no host is there'],
  [
    '4',
    'refused: another secret, application, codec or program, arguments that are not allowed, or an endpoint that is not known or that this user may not use',
  ],
  [
    '75',
    'try again later, but first check a launch that may have run: the endpoint is in use, or the host is busy, does not answer or cannot be reached',
  ],
  ['126', 'the command of "run" cannot be run'],
  ['127', 'the command of "run" was not found'],
  ['128+N', 'the command of "run" was ended by the signal N'],
  ['141', 'the output was closed'],
];
