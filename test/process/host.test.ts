import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dial, freePort, gone, hostOf, isFree, launch, type Program, published, until } from '../helpers/program.ts';
import { brokenStreams } from '../property/arbitraries.ts';

test('SIGKILL of the host frees the endpoint at once, whatever connections it had', async () => {
  const options = { port: await freePort() };
  const host = await hostOf(options);
  await dial(options.port);
  expect(await published(host, options)).toEqual([]);

  expect((await host.kill()).signal).toBe('SIGKILL');

  // With client: false it looks once and does not try again.
  await hostOf({ ...options, client: false });
});

describe('a host that nothing else keeps alive', () => {
  test.each([[[]], [['release', 'timeout', 'verifyFailed', 'warning']]] as const)(
    'ends with status 0 when its listeners are %j',
    async (watch) => {
      const host = await hostOf({ port: await freePort() }, { watch });
      expect(await host.exited()).toEqual({ code: 0, signal: null });
      expect(host.all('end')).toHaveLength(1);
    },
  );

  test.each(['args', 'client'] as const)('lives on while it has a listener of "%s"', async (event) => {
    const options = { port: await freePort() };
    const host = await hostOf(options, { watch: [event] });
    await host.line('end');
    expect((await launch({ options }, 'one').exited()).code).toBe(0);
    expect((await launch({ options }, 'two').exited()).code).toBe(0);
    expect(await host.line(event, ({ number }) => number === 2)).toBeDefined();
    expect(host.hasExited).toBe(false);
  });

  test('ends with status 0 when its last listener is gone', async () => {
    const options = { port: await freePort() };
    const host = await hostOf(options, { watch: [], steps: ['once', 'acquire'] });
    expect((await launch({ options }, 'one').exited()).code).toBe(0);
    expect((await host.line('once'))['args']).toEqual(['one']);
    expect(await host.exited()).toEqual({ code: 0, signal: null });
  });

  test.each([[['unref', 'acquire']], [['acquire', 'unref']]] as const)(
    'ends although it listens after unref(): %j',
    async (steps) => {
      const host = await hostOf({ port: await freePort() }, { steps });
      expect(await host.exited()).toEqual({ code: 0, signal: null });
    },
  );

  test.each([[['ref', 'acquire']], [['acquire', 'ref']]] as const)(
    'lives on without a listener after ref(): %j',
    async (steps) => {
      const options = { port: await freePort() };
      const host = await hostOf(options, { steps, watch: [] });
      await host.line('end');
      const second = launch({ options: { ...options, strict: false } }, 'one');
      expect(await second.line('rejected')).toMatchObject({ receipt: { outcome: 'unconfirmed' } });
      expect(host.hasExited).toBe(false);
    },
  );
});

describe('release() at the end of a main', () => {
  test('resolves, the program ends with status 0, and the endpoint is free', async () => {
    const options = { port: await freePort() };
    const host = launch({ options, steps: ['acquire', 'release'] });
    // A promise that never settles would end it with status 13.
    expect(await host.exited()).toEqual({ code: 0, signal: null });
    expect(host.lines.map(({ event }) => event)).toEqual(['host', 'release', 'end']);
    expect(host.all('release')[0]).toMatchObject({ reason: 'manual' });
    await hostOf({ ...options, client: false });
  });

  test('resolves where nobody listens', async () => {
    const host = launch({ options: { port: await freePort() }, steps: ['acquire', 'release'], watch: [] });
    expect(await host.exited()).toEqual({ code: 0, signal: null });
    expect(host.all('end')).toHaveLength(1);
  });

  test('resolves although a connection says nothing and nobody listens, and cuts it off', async () => {
    const options = { port: await freePort(), receiveTimeout: 60_000 };
    const host = launch({ options, steps: ['acquire', 'wait', 'release'], watch: ['warning'] });
    await host.line('waiting');
    const silent = await dial(options.port);
    // Connections are accepted in the order in which they came: when this one is warned of, that one is open.
    (await dial(options.port)).end('cut off');
    await host.line('warning');

    host.tell();

    expect(await host.exited()).toEqual({ code: 0, signal: null });
    expect(host.all('end')).toHaveLength(1);
    await gone(silent);
  });

  test('frees the endpoint at once and still publishes the launch that was on its way', async () => {
    const options = { port: await freePort() };
    const host = launch({ options, steps: ['acquire', 'wait', 'release'] });
    await host.line('waiting');
    const client = await dial(options.port);
    client.write('on its');
    expect(await published(host, options)).toEqual([]);

    host.tell();
    await until('the endpoint to be free', () => isFree(options.port));
    expect(host.all('release')).toEqual([]);
    client.end(' way\0');

    expect(await host.line('args', ({ number }) => number === 2)).toMatchObject({ args: ['on its way'] });
    expect(await host.exited()).toEqual({ code: 0, signal: null });
    expect(host.all('release')).toHaveLength(1);
  });
});

test('timeout releases the endpoint, emits timeout before release and lets the program end', async () => {
  const options = { port: await freePort(), timeout: 300 };
  const host = await hostOf(options);
  expect(await host.exited()).toEqual({ code: 0, signal: null });
  expect(host.lines.map(({ event }) => event)).toEqual(['host', 'end', 'timeout', 'release']);
  expect(host.all('release')[0]).toMatchObject({ reason: 'timeout' });
  await hostOf({ ...options, client: false });
});

test('the launch that reaches releaseThreshold is not published, and the next one becomes host', async () => {
  const options = { port: await freePort(), releaseThreshold: 3 };
  const host = await hostOf(options);

  expect((await launch({ options }, 'one').exited()).code).toBe(0);
  expect((await launch({ options }).exited()).code).toBe(0);
  expect((await launch({ options }, 'three').exited()).code).toBe(0);

  expect(await host.line('release')).toMatchObject({ reason: 'threshold', clients: 3 });
  expect(await host.exited()).toEqual({ code: 0, signal: null });
  expect(host.all('args').map(({ args }) => args)).toEqual([['one']]);
  expect((await hostOf({ ...options, client: false })).hasExited).toBe(false);
});

test('launches beyond maxClients are counted and not published, and exit with status 0', async () => {
  const options = { port: await freePort(), maxClients: 1, releaseThreshold: 4 };
  const host = await hostOf(options);
  for (const name of ['one', 'two', 'three', 'four']) {
    expect((await launch({ options }, name).exited()).code).toBe(0);
  }
  expect(await host.line('release')).toMatchObject({ clients: 4 });
  expect(host.all('args').map(({ args }) => args)).toEqual([['one']]);
  expect(host.all('client')).toHaveLength(4);
});

test('launches that come to a host at maxConnections are not lost: a silent connection gives way', async () => {
  const options = { port: await freePort(), maxConnections: 1, receiveTimeout: 400 };
  const host = await hostOf(options);
  const silent = await dial(options.port);
  const names = Array.from({ length: 6 }, (_, index) => `launch ${index}`);

  const exits = await Promise.all(names.map((name) => launch({ options }, name).exited()));

  expect(exits).toEqual(names.map(() => ({ code: 0, signal: null })));
  expect(host.all('warning').map(({ code }) => code)).toContain('ERR_SINGLETON_BUSY');
  expect(new Set((await published(host, options)).flat())).toEqual(new Set(names));
  await gone(silent);
});

describe('peers that mean no good', () => {
  test('50 silent connections do not delay a launch by more than a few milliseconds', async () => {
    const ROUNDS = 25;
    const plain = { port: await freePort() };
    const crowded = { port: await freePort(), receiveTimeout: 60_000 };
    const hosts = [await hostOf(plain), await hostOf(crowded)];
    await Promise.all(Array.from({ length: 50 }, () => dial(crowded.port)));

    const without: number[] = [];
    const beside: number[] = [];
    // In turn, so that what else the machine does is the same for both.
    for (let round = 0; round < ROUNDS; round += 1) {
      without.push(await served(plain.port));
      beside.push(await served(crowded.port));
    }

    expect(median(beside)).toBeLessThan(2 * median(without) + 5);
    for (const host of hosts) await host.line('args', ({ number }) => number === ROUNDS);
  });

  test('60 random streams neither publish nor count', async () => {
    const options = { port: await freePort() };
    const host = await hostOf(options);
    const streams = fc.sample(brokenStreams(), 60);

    await Promise.all(
      streams.map(async (bytes) => {
        const socket = await dial(options.port);
        socket.end(bytes);
        await gone(socket);
      }),
    );

    const detail = streams.map((bytes) => Buffer.from(bytes).toString('base64')).join('\n');
    expect(await published(host, options), detail).toEqual([]);
    expect(host.all('client'), detail).toHaveLength(1);
    await host.line('warning', () => host.all('warning').length >= streams.length);
    expect(host.all('warning')).toHaveLength(streams.length);
  });

  test('receiveTimeout cuts a client that trickles, and others are served meanwhile', async () => {
    const options = { port: await freePort(), receiveTimeout: 500 };
    const host = await hostOf(options);
    const start = performance.now();
    const socket = await dial(options.port);
    // Each byte comes long before the deadline: an idle timer would never run out.
    const trickle = setInterval(() => socket.write('x'), 20);
    try {
      expect(await published(host, options)).toEqual([]);
      await gone(socket);
    } finally {
      clearInterval(trickle);
    }
    expect(performance.now() - start).toBeGreaterThan(options.receiveTimeout - 10);
    const warning = await host.line('warning');
    expect(warning).toMatchObject({ code: 'ERR_SINGLETON_CONNECTION_FAILED' });
    expect(warning['message']).toContain('receiveTimeout');
    expect(host.all('client')).toHaveLength(1);
  });

  test('a message beyond maxMessageBytes is cut off, warned of and not counted', async () => {
    const options = { port: await freePort(), maxMessageBytes: 1000 };
    const host = await hostOf(options);
    const socket = await dial(options.port);
    socket.write('x'.repeat(1001));
    await gone(socket);
    expect(await host.line('warning')).toMatchObject({ code: 'ERR_SINGLETON_MESSAGE_TOO_LARGE' });
    expect(await published(host, options)).toEqual([]);
    expect(host.all('client')).toHaveLength(1);
  });

  test('a web page that posts arguments with NULs is refused', async () => {
    const options = { port: await freePort() };
    const host = await hostOf(options);
    const socket = await dial(options.port);
    socket.end('POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\n\r\n\0--evil-flag\0');
    await gone(socket);
    expect(await host.line('warning')).toMatchObject({ code: 'ERR_SINGLETON_MALFORMED_MESSAGE' });
    expect(await published(host, options)).toEqual([]);
  });
});

describe('verbose', () => {
  const secret = 'correct horse battery staple';
  const wrong = 'incorrect zebra';

  test('prints warnings and refused clients to stderr, and never a secret', async () => {
    const options = { port: await freePort(), secret, verbose: true };
    const host = await provoked(options);
    expect(host.stderr).toContain('wrong-secret');
    expect(host.stderr).toContain('missing-secret');
    expect(host.stderr).toContain('ERR_SINGLETON_TRUNCATED_MESSAGE');
    expect(host.stderr).toContain('ERR_SINGLETON_MALFORMED_MESSAGE');
    for (const word of [secret, wrong, 'correct', 'zebra', 'private']) expect(host.stderr).not.toContain(word);
    expect(JSON.stringify(host.lines)).not.toContain(wrong);
  });

  test('false prints nothing, and the events come all the same', async () => {
    const host = await provoked({ port: await freePort(), secret });
    expect(host.stderr).toBe('');
  });

  test('does not end a host whose stderr nobody reads any more', async () => {
    const options = { port: await freePort(), verbose: true };
    const host = await hostOf(options);
    await host.closeStderr();
    for (let warnings = 1; warnings <= 3; warnings++) {
      const socket = await dial(options.port);
      socket.end('cut off');
      await gone(socket);
    }
    expect(await published(host, options)).toEqual([]);
    expect(host.all('warning')).toHaveLength(3);
  });

  /** A host that has seen a wrong secret, none, a message that was cut off and one that is not UTF-8. */
  async function provoked(options: { readonly port: number; readonly secret: string }): Promise<Program> {
    const host = await hostOf(options);
    expect((await launch({ options: { ...options, secret: wrong } }, 'private').exited()).code).toBe(0);
    for (const bytes of ['\0', `${secret}\0private`, Buffer.from(`${secret}\0private\0\xff\0`, 'latin1')]) {
      const socket = await dial(options.port);
      socket.end(bytes);
      await gone(socket);
    }
    expect(await published(host, options)).toEqual([]);
    expect(host.all('verifyFailed').map(({ reason }) => reason)).toEqual(['wrong-secret', 'missing-secret']);
    expect(host.all('warning').map(({ code }) => code)).toEqual([
      'ERR_SINGLETON_TRUNCATED_MESSAGE',
      'ERR_SINGLETON_MALFORMED_MESSAGE',
    ]);
    expect(host.all('client')).toHaveLength(1);
    return host;
  }
});

test('a listener that throws is an uncaught exception; the others are called and the client exits with status 0', async () => {
  const options = { port: await freePort() };
  const host = await hostOf(options, { steps: ['throwing', 'acquire'] });
  for (const name of ['one', 'two']) expect((await launch({ options }, name).exited()).code).toBe(0);
  await host.line('uncaughtException', () => host.all('uncaughtException').length === 2);
  expect(host.all('args').map(({ args }) => args)).toEqual([['one'], ['two']]);
  expect(host.all('uncaughtException')[0]).toMatchObject({ message: 'from a listener' });
  expect(host.all('warning')).toEqual([]);
});

/** Milliseconds from a connection of this process until the host has taken its launch. */
async function served(port: number): Promise<number> {
  const start = performance.now();
  const socket = await dial(port);
  socket.end('a\0');
  await gone(socket);
  return performance.now() - start;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
