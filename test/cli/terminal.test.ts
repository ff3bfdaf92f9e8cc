import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { COMMAND, command, execute } from '../helpers/command-line.ts';
import { fixture, type Program, run, waitUntil } from '../helpers/program.ts';
import { socketFolder } from '../helpers/socket-folder.ts';

const python = process.platform !== 'win32' && spawnSync('python3', ['-c', 'import pty']).status === 0;
if (!python) console.warn('Not tested, for want of python3 and its module pty: the command in a terminal.');

const inTerminal = (env: NodeJS.ProcessEnv, ...args: readonly string[]): Program =>
  programInTerminal([process.execPath, COMMAND, ...args], env);

const programInTerminal = (line: readonly string[], env: NodeJS.ProcessEnv = {}): Program =>
  run('python3', [fixture('in-terminal.py'), '80', '24', ...line], {
    TERM: 'xterm-256color',
    CI: undefined,
    NO_COLOR: undefined,
    FORCE_COLOR: undefined,
    NODE_DISABLE_COLORS: undefined,
    ...env,
  });

const type = (terminal: Program, keys: string): void => terminal.writeLine(JSON.stringify(['write', keys]));
const screenWith = async (terminal: Program, text: string): Promise<string> =>
  String((await terminal.line('screen', (line) => String(line['text']).includes(text)))['text']);

describe.runIf(python)('in a terminal', () => {
  test('Ctrl-C reaches the command of "run" once, and ends "run" as it ends its command', async () => {
    const script = 'trap "echo one" INT; echo up; until read -r line; do :; done; trap - INT; echo again; read -r line';
    const terminal = inTerminal({}, 'run', join(socketFolder(), 'socket'), '--', 'sh', '-c', script);
    await screenWith(terminal, 'up');
    type(terminal, '\u0003');
    await screenWith(terminal, 'one');
    type(terminal, '\n');
    const screen = await screenWith(terminal, 'again');
    expect(screen.match(/one/g)).toHaveLength(1);
    type(terminal, '\u0003');
    expect(await terminal.line('ended')).toMatchObject({ signal: 2 });
  });

  test('a signal to "run" alone reaches the command of one that is in the background', async () => {
    const script = 'trap "echo one; exit 5" INT; echo up; while :; do sleep 0.01; done';
    const shell = `set -m; "$@" & read -r line; kill -INT $!; wait $!; echo "status $?"`;
    const line = [process.execPath, COMMAND, 'run', join(socketFolder(), 'socket'), '--', 'sh', '-c', script];
    const terminal = programInTerminal(['bash', '-c', shell, 'bash', ...line]);
    await screenWith(terminal, 'up');
    type(terminal, '\n');
    await screenWith(terminal, 'status 5');
  });

  test('"send --wait" gives its keys to the host, and does not wait for more than the result', async () => {
    const endpoint = join(socketFolder(), 'socket');
    const host = command('listen', '--reply', 'echo ready; read -r line; echo "got $line"; exit 9', endpoint);
    await waitUntil('a host', async () => (await execute('status', endpoint)).status === 0);
    const terminal = inTerminal({}, 'send', '--wait', endpoint);
    await screenWith(terminal, 'ready');
    type(terminal, 'a line\n');
    await screenWith(terminal, 'got a line');
    expect(await terminal.line('ended')).toMatchObject({ code: 9 });
    await host.kill();
  });

  test('the help is bold, unless NO_COLOR is set', async () => {
    const [bold, plain] = [inTerminal({}, '--help'), inTerminal({ NO_COLOR: '1' }, '--help')];
    expect(await screenWith(bold, '141')).toContain('\u{1b}[1mUsage\u{1b}[22m');
    expect(await screenWith(plain, '141')).not.toContain('\u{1b}');
  });
});
