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
});
