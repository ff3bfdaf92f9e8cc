import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { json } from '../../../src/codecs/json.ts';
import { Singleton, SingletonError } from '../../../src/index.ts';
import { execute } from '../../helpers/command-line.ts';
import { startHost } from '../../helpers/host.ts';

const stoppable = () => startHost({ codec: json(), args: [], allowReplace: true });

describe('stop', () => {
  test('--wait=SECONDS ends with status 75 if the process of the host goes on', async () => {
    const { endpoint } = await stoppable();
    const stderr = `socket-singleton: The endpoint is free, but the process ${process.pid} of the host has not ended yet.\n`;
    expect(await execute('stop', '--wait=0.01', endpoint)).toEqual({ status: 75, stdout: '', stderr });
  });

  test('--wait is refused for another machine, whose processes have other numbers', async () => {
    expect(await execute('stop', '--wait', 'tcp://192.0.2.1:80')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('--wait needs an endpoint of this machine'),
    });
  });

  test('is no failure if the host has ended when the replacement is refused', async () => {
    const app = await stoppable();
    const acquire = vi.spyOn(Singleton.prototype, 'acquire').mockImplementationOnce(async () => {
      // By another "stop", which then refuses this one.
      await app.release();
      throw new SingletonError('ERR_SINGLETON_REPLACE_REFUSED', 'refused');
    });
    onTestFinished(() => acquire.mockRestore());
    expect(await execute('stop', app.endpoint)).toEqual({ status: 0, stdout: '', stderr: '' });
  });
});

describe('status', () => {
  test('prints no control characters of the host', async () => {
    const { endpoint } = await startHost({ codec: json(), args: [], version: '1\u{1b}[2J\u{9b}2' });
    expect((await execute('status', endpoint)).stdout).toContain('version   1 [2J 2\n');
  });
});
