import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, onTestFinished, test } from 'vitest';
import { freePort } from '../helpers/program.ts';
import { LinkedFolder } from '../helpers/linked-folder.ts';
import { readSnippets, snippetWith } from '../helpers/snippets.ts';

describe('docs/answering.md', () => {
  test('has a first block that prints what its console block shows', async () => {
    const folder = new LinkedFolder();
    onTestFinished(() => folder.remove());
    const text = snippetWith('docs/answering.md', 'toUpperCase');
    const file = folder.write('app', `${text.replace('21337', `${await freePort()}`)}\nconsole.log('running');`);
    const host = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => void host.kill());
    await once(host.stdout, 'data');

    const console = readSnippets().find(
      ({ title, language }) => title.startsWith('docs/answering.md') && language === 'console',
    );
    const [, input, output] = /^\$ echo (\w+) \| node app\.mjs\n(.*)$/ms.exec(console?.text ?? '') ?? [];
    expect(execFileSync(process.execPath, [file], { input: `${input}\n`, encoding: 'utf8' })).toBe(output);
  });

  test.skipIf(process.platform === 'win32')('has a block that forwards signals to the child that answers', async () => {
    const folder = new LinkedFolder();
    onTestFinished(() => folder.remove());
    const child = `process.on('SIGINT', () => process.exit(3)); console.log('at work'); setInterval(() => {}, 1000)`;
    const text = snippetWith('docs/answering.md', 'forwardSignals')
      .replace('21337', `${await freePort()}`)
      .replace(`spawn('make', `, `spawn(process.execPath, ['-e', ${JSON.stringify(child)}], `);
    const file = folder.write('app', `${text}\nconsole.log('running');`);
    const host = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => void host.kill());
    await once(host.stdout, 'data');

    const launch = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => void launch.kill('SIGKILL'));
    await once(launch.stdout, 'data');
    launch.kill('SIGINT');
    expect(await once(launch, 'exit')).toEqual([3, null]);
  });

  test('has a block that prints a line of the default width, and no colours, to a launch without a terminal', async () => {
    const folder = new LinkedFolder();
    onTestFinished(() => folder.remove());
    const text = snippetWith('docs/answering.md', 'styleText').replace('21337', `${await freePort()}`);
    const file = folder.write('app', `${text}\nconsole.log('running');`);
    // It would colour everything.
    const env = { ...process.env, FORCE_COLOR: undefined };
    const host = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'inherit'], env });
    onTestFinished(() => void host.kill());
    await once(host.stdout, 'data');
    expect(execFileSync(process.execPath, [file], { encoding: 'utf8' })).toBe(`Done\n${'─'.repeat(80)}\n`);
  });
});
