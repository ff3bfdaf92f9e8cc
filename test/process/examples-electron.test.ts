import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { userInfo } from 'node:os';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { commandsOf, example } from '../helpers/examples.ts';
import { inheritedEnv, run } from '../helpers/program.ts';

// Its README is written for a Unix shell.
describe.skipIf(process.platform === 'win32')('examples/electron, under plain Node', () => {
  it('prints what its README shows, and ends by SIGTERM', async () => {
    const name = `viewer-${randomUUID()}`;
    onTestFinished(() => rmSync(`/tmp/${name}-${userInfo().uid}`, { recursive: true }));
    const env = { ...inheritedEnv(), VIEWER_NAME: name };
    const [[first, ...later] = []] = commandsOf('electron');
    const host = run('bash', ['-c', `cd '${example('electron')}' && exec ${first?.command.replace(' &', '')}`], env);
    const expected: string[] = [];
    let cwd = example('electron');
    for (const { command, output } of [...(first ? [first] : []), ...later]) {
      if (command === 'cd ..') cwd = dirname(cwd);
      if (command.startsWith('node electron/')) await promisify(execFile)('bash', ['-c', command], { env, cwd });
      expected.push(...output.map((line) => line.replace('/…', dirname(example('electron')))));
      await host.printed(`${expected.join('\n')}\n`);
    }
    host.signal('SIGTERM');
    expect(await host.exited()).toEqual({ code: 0, signal: null });
    expect(host.stdout.trimEnd().split('\n')).toEqual(expected);
    expect(expected.length).toBeGreaterThan(4);
  });
});
