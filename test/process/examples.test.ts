import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { freePort, inheritedEnv } from '../helpers/program.ts';

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
