import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { onTestFinished, vi } from 'vitest';
import { main } from '../../src/cli/main.ts';
import { inheritedEnv, Program } from './program.ts';

/** What a command line has printed, and its status. */
export interface Finished {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command line in this process, one at a time. What the programs print that it starts is not in the result. */
export async function execute(...args: readonly string[]): Promise<Finished> {
  const output = { stdout: '', stderr: '' };
  const capture =
    (name: keyof typeof output) =>
    (text: unknown, ...rest: readonly unknown[]): boolean => {
      output[name] += String(text);
      for (const done of rest) if (typeof done === 'function') process.nextTick(done);
      return true;
    };
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation(capture('stdout')),
    // What the library writes of a host, and what the command writes.
    vi.spyOn(process.stderr, 'write').mockImplementation(capture('stderr')),
    vi.spyOn(process.getBuiltinModule('node:fs'), 'writeSync').mockImplementation((_, text) => {
      output.stderr += text;
      return 0;
    }),
    // The worker of the tests needs its own.
    vi.spyOn(process.stdin, 'destroy').mockReturnThis(),
  ];
  try {
    const exit = await main(args);
    return { status: typeof exit === 'number' ? exit : exit.status, ...output };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

/** The built command, in a process. */
export const COMMAND = fileURLToPath(new URL('../../dist/cli/index.js', import.meta.url));

/** Starts the built command in a process of its own. */
export function command(...args: readonly string[]): Program {
  return started(process.execPath, [COMMAND, ...args]);
}

/** Runs a script in bash, in which `socket-singleton` is the built command. */
export function bash(script: string, ...args: readonly string[]): Program {
  const name = `socket-singleton() { "${process.execPath}" "${COMMAND}" "$@"; }\n`;
  return started('bash', ['-c', `${name}export -f socket-singleton\n${script}`, 'bash', ...args]);
}

/** Runs a script in sh. */
export function sh(script: string, ...args: readonly string[]): Program {
  return started('sh', ['-c', script, 'sh', ...args]);
}

function started(program: string, args: readonly string[]): Program {
  // A group of its own: what a script leaves behind ends with the test.
  const child = spawn(program, args, { env: { ...inheritedEnv(), NO_COLOR: '1' }, detached: true });
  onTestFinished(() => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // All have ended.
    }
  });
  return new Program(child);
}
