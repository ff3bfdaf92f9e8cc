import { describe, expect, test } from 'vitest';
import { dispatchedArgs, freePort, launch, type Program, startHost } from '../helpers/program.ts';
import { peer, python } from '../helpers/python.ts';

const secret = 's3cret-Ω';

/** Longer than what a Python host reads, and what the command line of Windows holds. */
const SHORT = [1025, 2000, 20_000];

const LAUNCHES: readonly (readonly string[])[] = [
  [],
  ['foo', 'bar', 'baz'],
  ['hello\nworld', 'two words', '\ttab'],
  ['naïve', '日本語', '🚀 launch'],
  ['foo', '', 'bar'],
];

describe.skipIf(python === undefined)('a Python client', () => {
  test.each([
    ['without a secret', []],
    ['with a secret', ['--secret', secret]],
  ] as const)('delivers its exact arguments to our host %s', async (_, flags) => {
    const port = await freePort();
    const options = flags.length > 0 ? { port, secret } : { port };
    const host = await startHost(options);
    for (const args of LAUNCHES) expect((await peer('package-client', port, ...flags, ...args).exited()).code).toBe(0);

    expect(await dispatchedArgs(host, options)).toEqual(LAUNCHES.filter((args) => args.length > 0));
    expect(host.all('client')).toHaveLength(LAUNCHES.length + 1);
    expect(host.all('warning')).toEqual([]);
    expect(host.all('verifyFailed')).toEqual([]);
  });

  test('fails to deliver to our host, and is not counted, with a wrong secret or none', async () => {
    const options = { port: await freePort(), secret };
    const host = await startHost(options);
    await peer('package-client', options.port, '--secret', 'another', 'foo').exited();
    await peer('package-client', options.port, 'foo').exited();
    await peer('package-client', options.port).exited();
    expect(await dispatchedArgs(host, options)).toEqual([]);
    expect(host.all('client')).toHaveLength(1);
    expect(host.all('verifyFailed').map(({ reason }) => reason)).toEqual([
      'wrong-secret',
      'wrong-secret',
      'missing-secret',
    ]);
  });
});

describe.skipIf(python === undefined)('our client', () => {
  test('delivers its arguments to a Python host, which drops empty ones', async () => {
    const port = await freePort();
    const host = await packageHost(port);
    for (const args of LAUNCHES) {
      expect(await launch({ options: { port } }, ...args).exited()).toEqual({ code: 0, signal: null });
    }
    await host.line('args', () => host.all('args').length === LAUNCHES.length);
    expect(host.all('args').map(({ args }) => args)).toEqual(LAUNCHES.map((args) => args.filter((arg) => arg !== '')));
  });

  test('proves the secret to a Python host', async () => {
    const port = await freePort();
    const host = await packageHost(port, '--secret', secret);
    expect((await launch({ options: { port, secret: 'another' } }, 'foo').exited()).code).toBe(0);
    expect((await launch({ options: { port, secret } }, 'foo', 'bar').exited()).code).toBe(0);
    expect((await host.line('args'))['args']).toEqual(['foo', 'bar']);
    expect(host.lines.map(({ event }) => event)).toEqual(['host', 'refused', 'args']);
  });

  test.each(process.platform === 'win32' ? SHORT : [...SHORT, 60_000, 1_000_000])(
    'rejects with CONNECTION_FAILED for %i bytes to a Python host, which reads 1024 of them once at most',
    async (bytes) => {
      const port = await freePort();
      const host = await packageHost(port);
      // No argument is longer than a system takes, and all end in NUL.
      const full = Array.from({ length: Math.ceil(bytes / 100) - 1 }, () => 'x'.repeat(99));
      const args = [...full, 'y'.repeat(bytes - 100 * full.length - 1)];

      const second = launch({ options: { port } }, ...args);

      expect(await second.line('rejected')).toMatchObject({ code: 'ERR_SINGLETON_CONNECTION_FAILED' });
      expect((await second.exited()).code).toBe(1);
      expect((await launch({ options: { port } }, 'last').exited()).code).toBe(0);
      await host.line('args', ({ args: got }) => Array.isArray(got) && got[0] === 'last');
      const ofSecond = host.all('args').slice(0, -1);
      expect(ofSecond.length).toBeLessThanOrEqual(1);
    },
  );

  test('delivers exactly 1024 bytes to a Python host', async () => {
    const port = await freePort();
    const host = await packageHost(port);
    expect((await launch({ options: { port } }, 'x'.repeat(1023)).exited()).code).toBe(0);
    expect((await host.line('args'))['args']).toEqual(['x'.repeat(1023)]);
  });
});

describe.skipIf(python === undefined)('a Python host', () => {
  // It binds without SO_REUSEADDR: one connection that our host had closed first would lock it out for a minute.
  test('binds the port right after our host released it, whatever clients that had', async () => {
    const options = { port: await freePort(), secret };
    const host = await startHost(options, { steps: ['acquire', 'wait', 'release'] });
    expect((await launch({ options }, 'ours').exited()).code).toBe(0);
    expect((await launch({ options: { ...options, secret: 'another' } }, 'ours').exited()).code).toBe(0);
    expect((await peer('package-client', options.port, '--secret', secret, 'theirs').exited()).code).toBe(0);
    expect((await peer('package-client', options.port, '--secret', 'another', 'theirs').exited()).code).toBe(0);
    expect(await dispatchedArgs(host, options)).toEqual([['ours'], ['theirs']]);

    host.writeLine();
    expect((await host.exited()).code).toBe(0);

    const next = await packageHost(options.port, '--secret', secret);
    expect((await launch({ options }, 'again').exited()).code).toBe(0);
    expect((await next.line('args'))['args']).toEqual(['again']);
  });

  test('binds the port right after a client of ours reached the threshold of our host', async () => {
    const options = { port: await freePort(), releaseThreshold: 1 };
    const host = await startHost(options);
    expect((await launch({ options }, 'ours').exited()).code).toBe(0);
    expect((await host.exited()).code).toBe(0);
    await packageHost(options.port);
  });
});

async function packageHost(port: number, ...args: readonly string[]): Promise<Program> {
  const host = peer('package-host', port, ...args);
  await host.line('host');
  return host;
}
