import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { OPTIONS, synopsisOf, usageOf } from '../../../src/cli/help/help.ts';
import { manualPage } from '../../../src/cli/help/man.ts';
import { COMMANDS, ENDPOINTS, EXIT_STATUSES } from '../../../src/cli/help/texts.ts';

const page = manualPage('1.2.3');
/** What a reader sees, without macros and escapes. */
const text = page
  .replaceAll(/^\.(SH|B|BR|TH) /gm, '')
  .replaceAll(String.raw`\-`, '-')
  .replaceAll(String.raw`\(aq`, "'")
  .replaceAll(String.raw`\e`, '\\');

const hasGroff = spawnSync('groff', ['--version']).status === 0;
if (!hasGroff) console.warn('No groff here: NOT TESTED is whether the manual page is one.');

describe('manualPage()', () => {
  it('says what the help says', () => {
    for (const command of COMMANDS) {
      expect(text).toContain(usageOf(command));
      expect(text).toContain(`${command.summary}\n${command.description}\n`);
      for (const option of command.options) expect(text).toContain(`${synopsisOf(option)}\n${option.summary}\n`);
      for (const { line, summary } of command.examples) {
        expect(text).toContain(`${summary}\n`);
        expect(text).toContain(`\n${line}\n`);
      }
    }
    for (const [term, meaning] of [...ENDPOINTS, ...OPTIONS, ...EXIT_STATUSES])
      expect(text).toContain(`${term}\n${meaning}\n`);
  });

  it('is what the build has written, with the version of the package', () => {
    const { version, man } = JSON.parse(read('package.json'));
    expect(read(man)).toBe(manualPage(version));
  });

  it.runIf(hasGroff)('is formatted by groff without a warning', () => {
    const { status, stdout, stderr } = spawnSync('groff', ['-man', '-Tascii', '-ww', '-rLL=200n'], {
      input: page,
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toContain(`socket-singleton send --wait --json '{"file":"a.ts"}' tcp://127.0.0.1:21337`);
  });
});

function read(path: string): string {
  return readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
}
