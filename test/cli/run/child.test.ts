import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { ended, isEnding, start } from '../../../src/cli/run/child.ts';
import { socketFolder } from '../../helpers/socket-folder.ts';

const sleeping = () => {
  const child = spawn('sleep', ['1000']);
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
};

describe.skipIf(process.platform === 'win32')('isEnding()', () => {
  it('resolves to false for a command that goes on running', async () => {
    expect(await isEnding(sleeping())).toBe(false);
  });

  it('does not resolve for a command that ends or has ended, so that its launches try again', async () => {
    const child = sleeping();
    const settled = vi.fn<() => void>();
    void isEnding(child).then(settled);
    child.kill('SIGKILL');
    await once(child, 'close');
    void isEnding(child).then(settled);
    for (let turn = 0; turn < 3; turn += 1) await nextTurn();
    expect(settled).not.toHaveBeenCalled();
  });
});

describe.skipIf(process.platform === 'win32')('ended()', () => {
  it('does not take a signal that may not be sent for the end', async () => {
    const child = sleeping();
    const end = ended(child);
    child.emit('error', Object.assign(new Error('kill EPERM'), { code: 'EPERM' }));
    child.kill('SIGTERM');
    expect(await end).toEqual({ status: 143, signal: 'SIGTERM' });
  });

  it('is only a status for a signal that would write the memory of this process', async () => {
    const child = sleeping();
    child.kill('SIGQUIT');
    expect(await ended(child)).toBe(131);
  });

  it('reports a script whose interpreter is missing, at its path and in PATH', async () => {
    const folder = socketFolder();
    writeFileSync(join(folder, 'a-script'), '#!/no/such/interpreter\n', { mode: 0o755 });
    vi.stubEnv('PATH', `/nowhere:${folder}`);
    onTestFinished(() => void vi.unstubAllEnvs());
    for (const program of [join(folder, 'a-script'), 'a-script']) {
      await expect(ended(start([program], false, undefined))).rejects.toMatchObject({
        status: 126,
        message: expect.stringMatching(
          /a-script" cannot be run \(ENOENT\): the file is there, .+ Install it, or correct the line\.$/,
        ),
      });
    }
  });
});
