import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Singleton } from '../../src/index.ts';
import { LinkedFolder } from '../helpers/linked-folder.ts';
import { freePort, launch, run } from '../helpers/program.ts';
import { startRelay } from '../helpers/relay.ts';
import { readSnippets } from '../helpers/snippets.ts';
import { expectNext, expectNoSecret, startHostWith, SECRET_ARG, secured } from '../helpers/structured.ts';

describe('a secret', () => {
  test('hides itself and the arguments from a relay of every byte', async () => {
    const port = await freePort();
    const host = await startHostWith(secured(port));
    const between = await startRelay(port);
    const sender = launch({ ...secured(between.port), steps: ['send'] }, SECRET_ARG);
    expect(await sender.line('sent')).toMatchObject({ outcome: 'delivered' });
    expect((await host.line('args'))['args']).toEqual([SECRET_ARG]);
    expect(between.seen().length).toBeGreaterThan(67);
    expectNoSecret(between.seen());
  });

  test('hides the launch from another program that speaks the protocol without it', async () => {
    const port = await freePort();
    const other = await startHostWith(secured(port, { secret: 'a guess of twenty bytes' }));

    const second = launch(secured(port), SECRET_ARG);

    expect(await second.line('rejected')).toMatchObject({ code: 'ERR_SINGLETON_VERIFICATION_FAILED' });
    expect((await second.exited()).code).toBe(1);
    expect(await other.line('verifyFailed')).toMatchObject({ reason: 'wrong-secret' });
    expect(other.all('client')).toEqual([]);
  });

  test.each([
    ['missing', { secret: undefined }, 'missing-secret'],
    ['wrong', { secret: 'another of twenty bytes' }, 'wrong-secret'],
  ])('causes an error on both sides when it is %s', async (_, options, reason) => {
    const port = await freePort();
    const host = await startHostWith(secured(port));
    const second = launch(secured(port, options), SECRET_ARG);
    expect(await second.line('rejected')).toMatchObject({ code: 'ERR_SINGLETON_VERIFICATION_FAILED' });
    await second.exited();
    await host.line('verifyFailed');
    await expectNext(host, secured(port));
    expect(host.all('verifyFailed')).toMatchObject([{ reason }]);
  });

  test('prevents the delivery to a host that has none', async () => {
    const port = await freePort();
    const host = await startHostWith(secured(port, { secret: undefined }));
    const second = launch(secured(port), SECRET_ARG);
    expect(await second.line('rejected')).toMatchObject({ code: 'ERR_SINGLETON_VERIFICATION_FAILED' });
    await second.exited();
    expect(await host.line('verifyFailed')).toMatchObject({ reason: 'unexpected-secret' });
    expect(host.all('client')).toEqual([]);
  });
});

describe('the command of docs/api.md for a secretFile', () => {
  test.skipIf(process.platform === 'win32')('writes a secret into a file that the option accepts', async () => {
    const folder = new LinkedFolder();
    onTestFinished(() => folder.remove());
    const command = readSnippets().find(({ language, text }) => language === 'sh' && text.includes('generateSecret'));

    // A umask with which others can read each new file.
    const shell = run('sh', ['-c', `umask 022; cd "$1"; ${command?.text}`, 'sh', folder.path]);
    expect(await shell.exited()).toEqual({ code: 0, signal: null });
    expect(shell.stderr).toBe('');

    const secretFile = join(folder.path, 'secret');
    expect(readFileSync(secretFile, 'utf8')).toMatch(/^[\w-]{43}\n$/);
    expect(() => new Singleton({ secretFile })).not.toThrow();
  });
});
