import { spawnSync } from 'node:child_process';
import { beforeAll, describe, expect, test } from 'vitest';
import { COMMANDS } from '../../../src/cli/help/texts.ts';
import { execute } from '../../helpers/command-line.ts';

const has = (shell: string): boolean => spawnSync(shell, ['-c', 'true']).status === 0;
for (const shell of ['bash', 'zsh', 'fish']) {
  if (!has(shell)) console.warn(`No ${shell} here: NOT TESTED is whether it understands its completion script.`);
}

/** Words before the cursor, the last one in part; and what is offered. */
const CASES: readonly (readonly [words: readonly string[], offered: readonly string[]])[] = [
  [['st'], ['status', 'stop']],
  [['--v'], ['--version']],
  [
    ['help', 'se'],
    ['send', 'secret'],
  ],
  [['send', '--w'], ['--wait']],
  [
    ['send', '--codec', ''],
    ['legacy', 'json', 'msgpack'],
  ],
  [['send', '--codec', 'm'], ['msgpack']],
  [
    ['send', '--codec', '='],
    ['legacy', 'json', 'msgpack'],
  ],
  [['send', '--codec', '=', 'm'], ['msgpack']],
  [['send', '--wait', '='], []],
  [['send', '--wait', '=', ''], []],
  [['send', '--secret-file', ''], []],
  [
    ['stop', 'x', '--'],
    ['--wait', '--timeout', '--secret-file', '--name', '--help'],
  ],
  [['completion', 'z'], ['zsh']],
  [['completion', 'bash', ''], ['--help']],
  [['completion', '--help', 'fish', ''], []],
  [['help', 'run', ''], []],
  [['run', 'x', '--', 'compgen'], ['compgen']],
  [['run', 'x', '--', 'ls', '--w'], []],
  [['secret', 'x'], []],
  [['send', '--wait', '--w'], []],
  [
    ['stop', '--wait', '--name', '*', '--'],
    ['--timeout', '--secret-file', '--help'],
  ],
];

describe.runIf(has('bash'))('completion bash', () => {
  let answers: readonly string[];

  beforeAll(async () => {
    const { stdout } = await execute('completion', 'bash');
    const asks = CASES.map(([words]) => {
      const quoted = ['socket-singleton', ...words].map((word) => `'${word}'`).join(' ');
      return `COMP_WORDS=(${quoted}); COMP_CWORD=${words.length}; COMPREPLY=(); _socket_singleton; echo "\${COMPREPLY[*]}"`;
    });
    // One process for all.
    const bash = spawnSync('bash', ['--norc', '-uc', `${stdout}\n${asks.join('\n')}\ncomplete -p socket-singleton`], {
      encoding: 'utf8',
    });
    expect(bash.stderr).toBe('');
    answers = bash.stdout.split('\n');
  });

  test.each(CASES)('offers after %j: %j', (words, offered) => {
    expect(answers[CASES.findIndex(([one]) => one === words)]).toBe(offered.join(' '));
  });

  test('has no line twice', async () => {
    const lines = (await execute('completion', 'bash')).stdout.split('\n').filter((line) => line.includes(')'));
    expect(lines).toEqual(Array.from(new Set(lines)));
  });

  test('registers itself', () => {
    expect(answers[CASES.length]).toBe('complete -o default -F _socket_singleton socket-singleton');
  });
});

describe('completion zsh', () => {
  test('is that of bash, which zsh reads', async () => {
    const { stdout } = await execute('completion', 'bash');
    expect((await execute('completion', 'zsh')).stdout).toBe(`autoload -U +X bashcompinit && bashcompinit\n${stdout}`);
  });

  test.runIf(has('zsh'))('is read by zsh', async () => {
    const { stdout } = await execute('completion', 'zsh');
    expect(
      spawnSync('zsh', ['-fc', `autoload -U compinit; compinit -u; ${stdout}`], { encoding: 'utf8' }),
    ).toMatchObject({ status: 0, stderr: '' });
  });
});

describe('completion fish', () => {
  test('has all commands and options', async () => {
    const { stdout } = await execute('completion', 'fish');
    for (const { name, options } of COMMANDS) {
      expect(stdout).toContain(` -n '__socket_singleton_words 1' -a ${name} -d '`);
      for (const option of options)
        expect(stdout).toContain(`-n '__socket_singleton_command ${name}' -l ${option.name} `);
    }
    for (const own of ['-a help', '-l help', '-l version'])
      expect(stdout).toContain(` -n '__socket_singleton_words 1' ${own} -d '`);
    expect(stdout).toContain(`-l codec -xa 'legacy json msgpack' -d '`);
  });

  test.runIf(has('fish'))('is read by fish', async () => {
    const { stdout } = await execute('completion', 'fish');
    expect(spawnSync('fish', ['--no-config', '-c', stdout], { encoding: 'utf8' })).toMatchObject({
      status: 0,
      stderr: '',
    });
  });
});
