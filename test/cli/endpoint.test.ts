import { resolve } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { UsageError } from '../../src/cli/command.ts';
import { transportOf } from '../../src/cli/endpoint.ts';
import { pipe } from '../../src/transports/pipe.ts';

const endpointOf = async (text: string | undefined): Promise<string> => (await transportOf(text)).endpoint;

describe('transportOf()', () => {
  it.each([
    ['tcp://127.0.0.1:21337', 'tcp://127.0.0.1:21337'],
    ['tcp://[::1]:80', 'tcp://[::1]:80'],
    ['TCP://127.0.0.1:80', 'tcp://127.0.0.1:80'],
  ])('takes %j for a port', async (text, endpoint) => {
    expect(await endpointOf(text)).toBe(endpoint);
  });

  it.each(['editor', 'com.acme.editor', 'a b', 'ä', 'C:', 'job:nightly', "it's"])(
    'takes %j for a name',
    async (name) => {
      expect(await endpointOf(name)).toBe(pipe({ name }).endpoint);
    },
  );

  it.skipIf(process.platform === 'win32').each([
    ['/tmp/a', '/tmp/a'],
    ['./a', resolve('a')],
    ['x/../a', resolve('a')],
    ['/tmp/a://b', '/tmp/a:/b'],
    ['unix:///tmp/a', '/tmp/a'],
    ['unix:a', resolve('a')],
  ])('takes %j for a path', async (text, path) => {
    expect(await endpointOf(text)).toBe(`unix://${path}`);
  });

  it.each([
    undefined,
    '',
    'tcp://127.0.0.1',
    'tcp://:80',
    'tcp:127.0.0.1:80',
    'tcp://a:b',
    'unix://',
    'etcd://x/y',
    'http://x:80',
    'tcp://127.0.0.1:0',
    'tcp://127.0.0.1:65536',
    '/tmp/a/',
    'a/',
    'unix:///tmp/a/',
    '-x',
  ])('refuses %j', async (text) => {
    await expect(endpointOf(text)).rejects.toThrow(UsageError);
  });

  it.each(['localhost:80', '127.0.0.1:80', '[::1]:80'])('advises tcp:// for %j', async (text) => {
    await expect(endpointOf(text)).rejects.toThrow(`write tcp://${text}`);
  });

  it('advises a path from the root if the working directory was deleted', async () => {
    const cwd = vi.spyOn(process, 'cwd').mockImplementation(() => {
      throw Object.assign(new Error('ENOENT: no such file or directory, uv_cwd'), {
        code: 'ENOENT',
        syscall: 'uv_cwd',
      });
    });
    onTestFinished(() => cwd.mockRestore());
    await expect(endpointOf('./a')).rejects.toThrow(UsageError);
    await expect(endpointOf('./a')).rejects.toThrow('the working directory was deleted: change to another one');
    expect(await endpointOf('/tmp/a')).toBe('unix:///tmp/a');
  });

  it.each(['a\nb', '..\\b'])('refuses %j with the code of the library', async (text) => {
    await expect(endpointOf(text)).rejects.toMatchObject({ code: 'ERR_SINGLETON_INVALID_OPTION' });
  });
});
