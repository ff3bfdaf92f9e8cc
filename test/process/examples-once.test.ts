import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { commandsOf, example } from '../helpers/examples.ts';
import { inheritedEnv, type Program, run, waitUntil } from '../helpers/program.ts';
import { socketFolder } from '../helpers/socket-folder.ts';

const app = example('once/backup.js');

// It is written for cron, and the paths of sockets on Windows are others.
describe.skipIf(process.platform === 'win32')('examples/once', () => {
  it('prints what its README shows', async () => {
    const [commands = []] = commandsOf('once');
    const script = commands.map(({ command }) => command.replace('backup.js', app)).join('\n');
    const { stdout } = await promisify(execFile)('bash', ['-c', script], { env: inheritedEnv(), cwd: socketFolder() });
    expect(stdout.trimEnd().split('\n')).toEqual(commands.flatMap(({ output }) => output));
  });

  it('exits with status 75 while a backup to the file is at work, and does not run its command', async () => {
    const file = join(socketFolder(), 'a.txt');
    const first = await startBackup(file);
    expect(await backup(file, 'touch', `${file}.second`).exited()).toEqual({ code: 75, signal: null });
    expect(await backup(join(dirname(file), 'b.txt'), 'echo', 'other').exited()).toEqual({ code: 0, signal: null });
    first.endStdin('the end');
    expect(await first.exited()).toEqual({ code: 0, signal: null });
    expect(readFileSync(file, 'utf8')).toBe('half\nthe end');
    const left = readdirSync(dirname(file));
    expect(left.filter((name) => !name.endsWith('.lock'))).toEqual(['a.txt', 'b.txt']);
  });

  it('keeps the last whole backup if the command fails or the backup is ended', async () => {
    const file = join(socketFolder(), 'a.txt');
    expect(await backup(file, 'echo', 'whole').exited()).toEqual({ code: 0, signal: null });
    expect(await backup(file, 'sh', '-c', 'echo broken; exit 3').exited()).toEqual({ code: 3, signal: null });
    const ended = await startBackup(file);
    ended.signal('SIGTERM');
    expect(await ended.exited()).toEqual({ code: 1, signal: null });
    expect(readFileSync(file, 'utf8')).toBe('whole\n');
  });
});

function backup(file: string, ...command: readonly string[]): Program {
  return run(process.execPath, [app, file, ...command]);
}

/** A backup whose command has written a line, and goes on until stdin ends. */
async function startBackup(file: string): Promise<Program> {
  const program = backup(file, 'cat');
  program.writeLine('half');
  const part = `${file}.part`;
  await waitUntil('half of a backup', async () => existsSync(part) && readFileSync(part, 'utf8') === 'half\n');
  return program;
}
