import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { fixture, freePort, inheritedEnv } from '../helpers/program.ts';

describe('examples/own-codec', () => {
  it('delivers a job with binary data to its host, and exits', async () => {
    const file = fileURLToPath(new URL('../../examples/own-codec/app.js', import.meta.url));
    const env = { ...inheritedEnv(), DEMO_PORT: String(await freePort()) };
    const host = spawn(process.execPath, [file], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => void host.kill());
    let printed = '';
    host.stdout.setEncoding('utf8').on('data', (more: string) => (printed += more));
    const prints = async (part: string): Promise<void> => {
      while (!printed.includes(part)) await once(host.stdout, 'data');
    };
    await prints('I am the host');

    const second = spawn(process.execPath, [file, 'ä.txt', 'b.txt'], { env, stdio: 'inherit' });

    expect(await once(second, 'exit')).toEqual([0, null]);
    await prints("a job: { files: [ 'ä.txt', 'b.txt' ], thumbnail: Uint8Array(3) [ 1, 2, 3 ] }\n");
  });
});

describe('examples/formatter', () => {
  it('does not count the time of a job as idle', async () => {
    const file = fileURLToPath(new URL('../../examples/formatter/app.js', import.meta.url));
    const env = { ...inheritedEnv(), FORMATTER_PORT: String(await freePort()) };
    // The time passes when this test says so.
    const execArgv = ['--import', fixture('idle-clock.js')];
    const host = fork(file, ['serve'], { env: { ...env, FORMATTER_IDLE: '123456' }, execArgv, silent: true });
    onTestFinished(() => void host.kill());
    const ended = once(host, 'exit');
    const passTime = async (): Promise<unknown> => {
      host.send('pass');
      const [expired] = await once(host, 'message');
      return expired;
    };
    if (!host.stderr) throw new Error('Expected the host to have a stderr.');
    await once(host.stderr, 'data');

    const launch = spawn(process.execPath, [file, 'a.ts'], { env, stdio: ['pipe', 'pipe', 'inherit'] });
    onTestFinished(() => void launch.kill());
    const formatted = text(launch.stdout);
    const launched = once(launch, 'exit');
    // More than the pipe has room for: it is written only if the host reads.
    const spaces = ' '.repeat(2 ** 22);
    await new Promise<unknown>((resolve) => launch.stdin.write(spaces, resolve));
    expect(await passTime()).toBe(0);
    launch.stdin.end('a  =  1');

    expect(await launched).toEqual([0, null]);
    expect(await formatted).toBe('a = 1;\n');
    // The job has ended for the host, too.
    while ((await passTime()) === 0);
    expect(await ended).toEqual([0, null]);
  });
});
