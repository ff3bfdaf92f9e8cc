import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { json } from '../../../src/codecs/json.ts';
import { msgpack } from '../../../src/codecs/msgpack.ts';
import { type Codec, type Handler, legacy, Singleton } from '../../../src/index.ts';
import { execute } from '../../helpers/command-line.ts';
import { endpoints } from '../../helpers/endpoints.ts';
import { startForeignServer } from '../../helpers/program.ts';

/** A host that answers by the handler. */
async function answering(
  codec: readonly [Codec<any>, ...Codec<any>[]],
  handler: Handler<unknown>,
  transport = endpoints.tcp(),
): Promise<string> {
  const app = new Singleton<unknown>({ transport, codec, args: [] });
  onTestFinished(() => app.release());
  await app.acquire();
  app.handle(handler);
  return app.endpoint;
}

describe('send', () => {
  test.each([
    ['legacy', legacy()],
    ['json', json()],
  ])('delivers to a host with %s, dashes and empty strings included', async (name, codec) => {
    const handler = vi.fn<Handler<unknown>>();
    const endpoint = await answering([codec], handler);
    expect(await execute('send', 'a', '--', '-b', '', 'ä c', endpoint)).toEqual({ status: 0, stdout: '', stderr: '' });
    await vi.waitFor(() => expect(handler).toHaveBeenCalledTimes(1));
    expect(handler.mock.lastCall).toMatchObject([['a', '-b', '', 'ä c'], { codec: name }]);
  });

  test('uses json at a path, legacy at a port, which may be that of a Python host, and the other one if that is refused', async () => {
    const handler = vi.fn<Handler<unknown>>();
    const both = [json(), legacy()] as const;
    const port = await answering(both, handler);
    const paths = [
      await answering(both, handler, endpoints.pipe()),
      await answering([legacy()], handler, endpoints.pipe()),
    ];
    for (const endpoint of [port, ...paths]) {
      expect(await execute('send', '', endpoint)).toEqual({ status: 0, stdout: '', stderr: '' });
    }
    await execute('send', '--name', '', port);
    await vi.waitFor(() => expect(handler).toHaveBeenCalledTimes(4));
    const launch = [[''], { codec: 'json', cwd: process.cwd(), pid: process.pid }];
    expect(handler.mock.calls).toMatchObject([
      [[], { codec: 'legacy' }],
      launch,
      [[], { codec: 'legacy' }],
      [[], { codec: 'json' }],
    ]);
  });

  test.each([
    ['a text\nof two lines', 'a text\nof two lines\n'],
    [{ a: [1, null] }, '{"a":[1,null]}\n'],
    [0, '0\n'],
    [false, 'false\n'],
    ['', '\n'],
  ])('prints the reply %j: a string as it is, another value as JSON', async (reply, stdout) => {
    const endpoint = await answering([json()], () => reply);
    expect(await execute('send', '--wait', endpoint)).toEqual({ status: 0, stdout, stderr: '' });
  });

  test('prints a reply of msgpack that JSON does not have', async () => {
    const endpoint = await answering([msgpack()], () => ({ n: 2n ** 63n, bytes: new Uint8Array([1, 2]), nan: NaN }));
    const stdout = '{"n":"9223372036854775808","bytes":"AQI=","nan":null}\n';
    expect(await execute('send', '--wait', '--codec', 'msgpack', endpoint)).toEqual({ status: 0, stdout, stderr: '' });
  });

  test('writes what the host writes, and ends with its status', async () => {
    const endpoint = await answering([json()], (args, { stdout, stderr }) => {
      stdout.write(`out ${JSON.stringify(args)}`);
      stderr.write('err');
    });
    expect(await execute('send', '--wait', '--json', '{"a":1}', endpoint)).toEqual({
      status: 0,
      stdout: 'out {"a":1}',
      stderr: 'err',
    });
    const exiting = await answering([json()], (_, client) => void client.exit(42));
    expect(await execute('send', '--wait', exiting)).toMatchObject({ status: 42, stdout: '' });
  });

  test('ends with status 75 if there is no result in time, and releases stdin', async () => {
    const endpoint = await answering([json()], () => new Promise(() => {}));
    const { status, stderr } = await execute('send', '--wait=0.01', endpoint);
    expect([status, stderr]).toEqual([75, expect.stringMatching(/ERR_SINGLETON_HOST_UNRESPONSIVE: [^\n]+\n$/)]);
  });

  test('ends with status 75 after its time if a host does not answer, and says what may have run', async () => {
    const { port } = await startForeignServer(() => {});
    const line =
      /ERR_SINGLETON_HOST_UNRESPONSIVE: [^\n]+ within 0\.01 s \(--(?:wait|timeout)\)\. The launch may have run[^\n]+\n$/;
    for (const option of [['--wait=0.01'], ['--timeout', '0.01'], ['--wait', '--timeout', '0.01']]) {
      const { status, stderr } = await execute('send', ...option, `tcp://127.0.0.1:${port}`);
      expect([status, stderr]).toEqual([75, expect.stringMatching(line)]);
    }
  });

  test('names the codecs if the host has another one', async () => {
    const endpoint = await answering([msgpack()], () => {});
    const { status, stderr } = await execute('send', 'x', endpoint);
    expect([status, stderr]).toEqual([4, expect.stringContaining('Choose one with --codec: legacy, json or msgpack.')]);
    expect((await execute('send', '--codec', 'msgpack', 'x', endpoint)).status).toBe(0);
  });

  test('ends with status 1 if the launch failed', async () => {
    const endpoint = await answering([json()], () => Promise.reject(new Error('broken')));
    const { status, stderr } = await execute('send', '--wait', endpoint);
    expect([status, stderr]).toEqual([1, expect.stringMatching(/ERR_SINGLETON_LISTENER_FAILED: [^\n]+\n$/)]);
  });

  test('ends with status 2 for a value that the codec cannot carry', async () => {
    const endpoint = await answering([legacy()], () => {});
    for (const options of [
      ['--codec', 'legacy', '--json', '{}'],
      ['--codec', 'legacy', '--wait'],
    ]) {
      expect(await execute('send', ...options, endpoint)).toMatchObject({ status: 2, stdout: '' });
    }
  });
});
