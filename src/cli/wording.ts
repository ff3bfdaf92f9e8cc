import type { SingletonError } from '../index.ts';
import { HAS_NUL, TAKES_NO_LAUNCHES } from './command.ts';
import { isCommandName, SYNTAX } from './syntax.ts';

/**
 * The message of an error of the library, with what the host or the system says about it, in the words of the command: the
 * library names its own options and functions. `command` is the first word of the command line.
 */
export function inCommandWords(error: SingletonError, command: string): string {
  const reason = String(Object(error.cause).message ?? '').slice(0, MAX_REASON_LENGTH);
  const refusal = [TAKES_NO_LAUNCHES, HAS_NUL].find((one) => reason.includes(one));
  if (refusal !== undefined) return `The launch was refused: ${refusal}.`;
  const message = error.message.includes(reason) ? error.message : `${error.message} (${reason})`;
  const options = isCommandName(command) ? SYNTAX[command].options : {};
  // An option is named only to a command that has it.
  const named = (option: string): string => (Object.hasOwn(options, option) ? ` (--${option})` : '');
  return [...REPLACEMENTS, ...ofCommand(command)]
    .reduce((text, [pattern, words]) => text.replaceAll(pattern, words), message)
    .replaceAll(/ (\d+) ms \((deliveryTimeout|standby)\)/g, (_, ms, option) => {
      return ` ${Number(ms) / 1000} s${named(option === 'standby' ? 'wait' : 'timeout')}`;
    })
    .replaceAll(' (name)', named('name'));
}

const MAX_REASON_LENGTH = 200;

const NO_ANSWER =
  'The host is stopped or overloaded; or "run" was killed, and its command still holds the endpoint; or another program is there.';

const REPLACEMENTS: readonly (readonly [pattern: RegExp, words: string])[] = [
  [/(?<=not confirm the launch [^.]*\. )It may be frozen or busy[^.]*\./g, `The launch may have run. ${NO_ANSWER}`],
  [/It may be frozen or busy[^.]*\./g, NO_ANSWER],
  [
    /^Another process is the host at (\S+)\. The outcome of this launch is "skipped"\./g,
    '$1 is in use: another process listens there.',
  ],
  [
    /^Option "wait": expected false .*$/g,
    '--wait: expected --codec json or msgpack, because a host with legacy cannot answer.',
  ],
  [/^Option "name": expected a /g, 'ENDPOINT: expected a '],
  [/, or set "path" or a shorter "directory"/g, ''],
  [/^Option "(?:path|port|address)":/g, 'ENDPOINT:'],
  [/^Option "args":/g, 'The arguments:'],
  [/\bargs\[(\d+)\]/g, 'item $1 of the arguments'],
  [/^Option "secret(?:File)?":/g, '--secret-file:'],
  [/^Option "codec": (?:msgpack\(\)|load\(\) of)/g, '--codec:'],
  [/^Option "(name|codec)":/g, '--$1:'],
  [/(?:a secret of )?generateSecret\(\)/g, '"socket-singleton secret"'],
  [/(set the same secret on both sides)/gi, '$1 (--secret-file)'],
  [/Set the option "directory" of pipe\(\) to a directory/g, 'Choose a path in a directory'],
  [/tcp\(\) with a port/g, 'tcp://HOST:PORT'],
  [/longer than maxMessageBytes of the host/g, 'longer than the host accepts'],
  [/, or raise the limit on both sides/g, ''],
  [/ \(The host says: (?:allowReplace|max\w+) is \w+\)/g, ''],
  [/\(allowReplace\)/g, '(--allow-stop)'],
  [/ \((?:maxPending|maxConnections|maxMessageBytes)\)/g, ''],
  [/\b(json|legacy|msgpack)\(\)/g, '$1'],
];

/** What depends on the command. */
function ofCommand(command: string): readonly (readonly [pattern: RegExp, words: string])[] {
  const advice = 'Choose one with --codec: legacy, json or msgpack';
  return [
    [/Use the same codec on both sides/g, command === 'send' ? advice : 'This command uses json'],
    ...(command === 'status' || command === 'stop' ? [[/rejected this launch/g, 'refused this request'] as const] : []),
  ];
}
