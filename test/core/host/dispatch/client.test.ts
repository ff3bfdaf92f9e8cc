import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { json } from '../../../../src/codecs/json.ts';
import { type Client, type Receipt, Singleton, type SingletonError } from '../../../../src/index.ts';
import { memory } from '../../../../src/transports/memory.ts';

/** Sends one launch that waits to a host with this listener. */
async function answered(listener: (client: Client) => unknown, options: { readonly maxMessageBytes?: number } = {}) {
  const shared = { transport: memory().transport('app'), codec: json<string>(), args: 'x', ...options };
  const app = await Singleton.acquire(shared);
  onTestFinished(() => app.release());
  const warnings: SingletonError[] = [];
  app.on('warning', (warning) => warnings.push(warning));
  app.on('args', (_, client) => listener(client));
  const streams = { stdout: new PassThrough(), stderr: new PassThrough() };
  const result: Receipt | SingletonError = await Singleton.send({ ...shared, ...streams, wait: true }).catch(
    (error: SingletonError) => error,
  );
  return { app, warnings, result, stdout: await text(streams.stdout.end()) };
}

const failed = { code: 'ERR_SINGLETON_LISTENER_FAILED' };

describe('client.reply', () => {
  it.each<[string, unknown, string]>([
    ['a value that JSON does not have', undefined, 'ERR_SINGLETON_UNENCODABLE'],
    ['a Date', new Date(0), 'ERR_SINGLETON_UNENCODABLE'],
    ['more than maxMessageBytes', 'x'.repeat(2000), 'ERR_SINGLETON_MESSAGE_TOO_LARGE'],
  ])('fails the launch, warns and returns false for %s', async (_, value, code) => {
    const returned: boolean[] = [];
    const { result, warnings, app } = await answered((client) => returned.push(client.reply(value)), {
      maxMessageBytes: 1000,
    });
    expect(result).toMatchObject(failed);
    expect(returned).toEqual([false]);
    expect(warnings).toMatchObject([{ ...failed, cause: { code } }]);
    expect(app.listening).toBe(true);
  });
});

describe('client.exit', () => {
  it.each<[number | null | undefined, NodeJS.Signals | null | undefined, number]>([
    [undefined, undefined, 0],
    [3, null, 3],
    [null, 'SIGTERM', 143],
    [null, 'SIGKILL', 137],
  ])('accepts the code and the signal of a child process: %s and %s mean status %i', async (code, signal, status) => {
    const { result, warnings } = await answered((client) => client.exit(code, signal));
    expect(result).toMatchObject({ exitCode: status });
    expect(warnings).toEqual([]);
  });

  it.each(['SIGFOO', 'toString'])('fails the launch for the signal %s, which there is not', async (signal) => {
    // `any`: as from JavaScript.
    const unknown: any = signal;
    const { result, warnings } = await answered((client) => client.exit(null, unknown));
    expect(result).toMatchObject(failed);
    expect(warnings).toMatchObject([failed]);
  });

  it.each([-1, 256, 1.5, NaN, 0xc000_0005, null])('fails the launch, warns and returns false for %s', async (code) => {
    const returned: boolean[] = [];
    const { result, warnings, app } = await answered((client) => returned.push(client.exit(code)));
    expect(result).toMatchObject(failed);
    expect(returned).toEqual([false]);
    expect(warnings).toMatchObject([{ ...failed, cause: { code: 'ERR_SINGLETON_INVALID_OPTION' } }]);
    expect(app.listening).toBe(true);
  });
});

describe('client.stdout', () => {
  it.each(['length', 'byteLength'])('sends the bytes of a buffer, whatever its "%s" says', async (key) => {
    const bytes = Object.defineProperty(Buffer.from('ab'), key, { value: 100_000 });
    const { stdout } = await answered((client) => {
      client.stdout.write(bytes);
      client.exit(0);
    });
    expect(stdout).toBe('ab');
  });
});

describe('a client whose launch has ended without a result', () => {
  it.each<[string, (client: Client) => unknown]>([
    ['reply', (client) => client.reply('late')],
    ['exit', (client) => client.exit(1)],
    ['stdout.write', (client) => client.stdout.write('late')],
    ['stderr.write', (client) => client.stderr.write('late')],
    ['stdout.end', (client) => client.stdout.end('late')],
  ])('causes one warning for two calls of %s, and no longer waits', async (_, act) => {
    let late: Client | undefined;
    const { result, warnings } = await answered((client) => void (late = client));
    expect(result).toMatchObject({ exitCode: 0 });
    expect(warnings).toEqual([]);
    expect(late?.waiting).toBe(false);
    for (let time = 1; time <= 2; time += 1) if (late) act(late);
    await turn();
    expect(warnings).toMatchObject([failed]);
  });

  it('causes no warning after a result that a listener has set', async () => {
    let late: Client | undefined;
    const { warnings } = await answered((client) => {
      late = client;
      return client.reply('first');
    });
    expect([late?.waiting, late?.reply('second'), late?.exit(1), late?.stdout.write('x')]).toEqual(
      Array(4).fill(false),
    );
    await turn();
    expect(warnings).toEqual([]);
  });
});
