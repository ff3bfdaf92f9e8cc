import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { json } from '../../src/codecs/json.ts';
import { type Receipt, Singleton } from '../../src/index.ts';
import {
  connect,
  freePort,
  waitForClose,
  startHost,
  isFree,
  launch,
  type Program,
  run,
  dispatchedArgs,
  waitUntil,
} from '../helpers/program.ts';
import { brokenStreams } from '../property/arbitraries.ts';

describe('a host that is killed', () => {
  test('leaves its endpoint free, whatever connections it had', async () => {
    const options = { port: await freePort() };
    const host = await startHost(options);
    await connect(options.port);
    expect(await dispatchedArgs(host, options)).toEqual([]);

    expect((await host.kill()).signal).toBe('SIGKILL');

    // With client: false it tries once.
    await startHost({ ...options, client: false });
  });
});

describe('a host without other work', () => {
  test.each([[[]], [['release', 'timeout', 'verifyFailed', 'warning']]] as const)(
    'exits with status 0 when its listeners are %j',
    async (watch) => {
      const host = await startHost({ port: await freePort() }, { watch });
      expect(await host.exited()).toEqual({ code: 0, signal: null });
      expect(host.all('end')).toHaveLength(1);
    },
  );

  test.each(['args', 'client'] as const)('keeps running while it has a listener of "%s"', async (event) => {
    const options = { port: await freePort() };
    const host = await startHost(options, { watch: [event] });
    await host.line('end');
    expect((await launch({ options }, 'one').exited()).code).toBe(0);
    expect((await launch({ options }, 'two').exited()).code).toBe(0);
    expect(await host.line(event, ({ number }) => number === 2)).toBeDefined();
    expect(host.hasExited).toBe(false);
  });

  test('exits with status 0 when its last listener is removed', async () => {
    const options = { port: await freePort() };
    const host = await startHost(options, { watch: [], steps: ['once', 'acquire'] });
    expect((await launch({ options }, 'one').exited()).code).toBe(0);
    expect((await host.line('once'))['args']).toEqual(['one']);
    expect(await host.exited()).toEqual({ code: 0, signal: null });
  });

  test.each([[['unref', 'acquire']], [['acquire', 'unref']]] as const)(
    'exits although it has listeners after unref(): %j',
    async (steps) => {
      const host = await startHost({ port: await freePort() }, { steps });
      expect(await host.exited()).toEqual({ code: 0, signal: null });
    },
  );

  test.each([[['ref', 'acquire']], [['acquire', 'ref']]] as const)(
    'keeps running without a listener after ref(): %j',
    async (steps) => {
      const options = { port: await freePort() };
      const host = await startHost(options, { steps, watch: [] });
      await host.line('end');
      const second = launch({ options: { ...options, strict: false } }, 'one');
      expect(await second.line('rejected')).toMatchObject({ receipt: { outcome: 'unconfirmed' } });
      expect(host.hasExited).toBe(false);
    },
  );
});

describe('release() at the end of a main', () => {
  test('resolves, the program exits with status 0, and the endpoint is free', async () => {
    const options = { port: await freePort() };
    const host = launch({ options, steps: ['acquire', 'release'] });
    // A promise that never settles would end it with status 13.
    expect(await host.exited()).toEqual({ code: 0, signal: null });
    expect(host.lines.map(({ event }) => event)).toEqual(['host', 'release', 'end']);
    expect(host.all('release')[0]).toMatchObject({ reason: 'manual' });
    await startHost({ ...options, client: false });
  });

  test('resolves without a listener', async () => {
    const host = launch({ options: { port: await freePort() }, steps: ['acquire', 'release'], watch: [] });
    expect(await host.exited()).toEqual({ code: 0, signal: null });
    expect(host.all('end')).toHaveLength(1);
  });

  test('resolves without a listener and resets a silent connection', async () => {
    const options = { port: await freePort(), receiveTimeout: 60_000 };
    const host = launch({ options, steps: ['acquire', 'wait', 'release'], watch: ['warning'] });
    await host.line('waiting');
    const silent = await connect(options.port);
    // Connections are accepted in the order in which they came: when this one is warned of, that one is open.
    (await connect(options.port)).end('cut off');
    await host.line('warning');

    host.writeLine();

    expect(await host.exited()).toEqual({ code: 0, signal: null });
    expect(host.all('end')).toHaveLength(1);
    await waitForClose(silent);
  });

  test('frees the endpoint and still dispatches a launch that was being received', async () => {
    const options = { port: await freePort() };
    const host = launch({ options, steps: ['acquire', 'wait', 'release'] });
    await host.line('waiting');
    const client = await connect(options.port);
    client.write('on its');
    expect(await dispatchedArgs(host, options)).toEqual([]);

    host.writeLine();
    await waitUntil('the endpoint to be free', () => isFree(options.port));
    expect(host.all('release')).toEqual([]);
    client.end(' way\0');

    expect(await host.line('args', ({ number }) => number === 2)).toMatchObject({ args: ['on its way'] });
    expect(await host.exited()).toEqual({ code: 0, signal: null });
    expect(host.all('release')).toHaveLength(1);
  });
});

describe('a host with limits', () => {
  test('releases the endpoint at the timeout, emits timeout before release and lets the program exit', async () => {
    const options = { port: await freePort(), timeout: 300 };
    const host = await startHost(options);
    expect(await host.exited()).toEqual({ code: 0, signal: null });
    expect(host.lines.map(({ event }) => event)).toEqual(['host', 'end', 'timeout', 'release']);
    expect(host.all('release')[0]).toMatchObject({ reason: 'timeout' });
    await startHost({ ...options, client: false });
  });

  test('does not dispatch the launch that reaches releaseThreshold, and the next one becomes host', async () => {
    const options = { port: await freePort(), releaseThreshold: 3 };
    const host = await startHost(options);

    expect((await launch({ options }, 'one').exited()).code).toBe(0);
    expect((await launch({ options }).exited()).code).toBe(0);
    expect((await launch({ options }, 'three').exited()).code).toBe(0);

    expect(await host.line('release')).toMatchObject({ reason: 'threshold', clients: 3 });
    expect(await host.exited()).toEqual({ code: 0, signal: null });
    expect(host.all('args').map(({ args }) => args)).toEqual([['one']]);
    expect((await startHost({ ...options, client: false })).hasExited).toBe(false);
  });

  test('counts launches beyond maxClients and does not dispatch them, and they exit with status 0', async () => {
    const options = { port: await freePort(), maxClients: 1, releaseThreshold: 4 };
    const host = await startHost(options);
    for (const name of ['one', 'two', 'three', 'four']) {
      expect((await launch({ options }, name).exited()).code).toBe(0);
    }
    expect(await host.line('release')).toMatchObject({ clients: 4 });
    expect(host.all('args').map(({ args }) => args)).toEqual([['one']]);
    expect(host.all('client')).toHaveLength(4);
  });

  test('resets a silent connection at maxConnections and loses no launch', async () => {
    const options = { port: await freePort(), maxConnections: 1 };
    const host = await startHost(options);
    const silent = await connect(options.port);
    const names = Array.from({ length: 6 }, (_, index) => `launch ${index}`);

    const exits = await Promise.all(names.map((name) => launch({ options }, name).exited()));

    expect(exits).toEqual(names.map(() => ({ code: 0, signal: null })));
    expect(host.all('warning').map(({ code }) => code)).toContain('ERR_SINGLETON_BUSY');
    expect(new Set((await dispatchedArgs(host, options)).flat())).toEqual(new Set(names));
    await waitForClose(silent);
  });
});

describe('a host with hostile peers', () => {
  test('accepts launches beside 50 silent connections', async () => {
    const options = { port: await freePort(), receiveTimeout: 600_000 };
    const host = await startHost(options);
    const silent = await Promise.all(Array.from({ length: 50 }, () => connect(options.port)));
    for (const name of ['one', 'two']) expect((await launch({ options }, name).exited()).code).toBe(0);
    expect(await dispatchedArgs(host, options)).toEqual([['one'], ['two']]);
    expect(silent.filter(({ closed }) => closed)).toEqual([]);
  });

  test('neither dispatches nor counts 60 random streams', async () => {
    const options = { port: await freePort() };
    const host = await startHost(options);
    const streams = fc.sample(brokenStreams(), 60);

    await Promise.all(
      streams.map(async (bytes) => {
        const socket = await connect(options.port);
        socket.end(bytes);
        await waitForClose(socket);
      }),
    );

    const detail = streams.map((bytes) => Buffer.from(bytes).toString('base64')).join('\n');
    expect(await dispatchedArgs(host, options), detail).toEqual([]);
    expect(host.all('client'), detail).toHaveLength(1);
    await host.line('warning', () => host.all('warning').length >= streams.length);
    expect(host.all('warning')).toHaveLength(streams.length);
  });

  test('resets a client that sends slowly at receiveTimeout, and serves others meanwhile', async () => {
    const options = { port: await freePort(), receiveTimeout: 500 };
    const host = await startHost(options);
    const socket = await connect(options.port);
    // Each byte arrives long before the deadline: an idle timer would never expire.
    const trickle = setInterval(() => socket.write('x'), 20);
    try {
      expect(await dispatchedArgs(host, options)).toEqual([]);
      await waitForClose(socket);
    } finally {
      clearInterval(trickle);
    }
    const warning = await host.line('warning');
    expect(warning).toMatchObject({ code: 'ERR_SINGLETON_CONNECTION_FAILED' });
    expect(warning['message']).toContain('receiveTimeout');
    expect(host.all('client')).toHaveLength(1);
  });

  test('resets a client with a warning, and does not count it, for a message beyond maxMessageBytes', async () => {
    const options = { port: await freePort(), maxMessageBytes: 1000 };
    const host = await startHost(options);
    const socket = await connect(options.port);
    socket.write('x'.repeat(1001));
    await waitForClose(socket);
    expect(await host.line('warning')).toMatchObject({ code: 'ERR_SINGLETON_MESSAGE_TOO_LARGE' });
    expect(await dispatchedArgs(host, options)).toEqual([]);
    expect(host.all('client')).toHaveLength(1);
  });

  test('refuses a web page that posts arguments with NULs', async () => {
    const options = { port: await freePort() };
    const host = await startHost(options);
    const socket = await connect(options.port);
    socket.end('POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\n\r\n\0--evil-flag\0');
    await waitForClose(socket);
    expect(await host.line('warning')).toMatchObject({ code: 'ERR_SINGLETON_MALFORMED_MESSAGE' });
    expect(await dispatchedArgs(host, options)).toEqual([]);
  });
});

describe('a host with the option verbose', () => {
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

  test('prints nothing if false, and still emits the events', async () => {
    const host = await provoked({ port: await freePort(), secret });
    expect(host.stderr).toBe('');
  });

  test('continues to run when its stderr was closed', async () => {
    const options = { port: await freePort(), verbose: true };
    const host = await startHost(options);
    await host.closeStderr();
    for (let warnings = 1; warnings <= 3; warnings++) {
      const socket = await connect(options.port);
      socket.end('cut off');
      await waitForClose(socket);
    }
    expect(await dispatchedArgs(host, options)).toEqual([]);
    expect(host.all('warning')).toHaveLength(3);
  });

  /** A host that has seen a wrong secret, none, a message that was cut off and one that is not UTF-8. */
  async function provoked(options: { readonly port: number; readonly secret: string }): Promise<Program> {
    const host = await startHost(options);
    expect((await launch({ options: { ...options, secret: wrong } }, 'private').exited()).code).toBe(0);
    for (const bytes of ['\0', `${secret}\0private`, Buffer.from(`${secret}\0private\0\xff\0`, 'latin1')]) {
      const socket = await connect(options.port);
      socket.end(bytes);
      await waitForClose(socket);
    }
    expect(await dispatchedArgs(host, options)).toEqual([]);
    expect(host.all('verifyFailed').map(({ reason }) => reason)).toEqual(['wrong-secret', 'missing-secret']);
    expect(host.all('warning').map(({ code }) => code)).toEqual([
      'ERR_SINGLETON_TRUNCATED_MESSAGE',
      'ERR_SINGLETON_MALFORMED_MESSAGE',
    ]);
    expect(host.all('client')).toHaveLength(1);
    return host;
  }
});

describe('a host with a listener that throws', () => {
  test('calls the other listeners, and the client exits with status 0', async () => {
    const options = { port: await freePort() };
    const host = await startHost(options, { steps: ['throwing', 'acquire'] });
    for (const name of ['one', 'two']) expect((await launch({ options }, name).exited()).code).toBe(0);
    await host.line('args', () => host.all('args').length === 2);
    expect(host.all('args').map(({ args }) => args)).toEqual([['one'], ['two']]);
    expect(host.all('warning').map(({ code }) => code)).toEqual(Array(2).fill('ERR_SINGLETON_LISTENER_FAILED'));
  });
});

describe('process.exit() in a listener', () => {
  test.each([
    [{}, 'a'],
    [{ codec: 'json' }, Buffer.of(0xf5)],
  ] as const)('resets a connection whose launch has begun (%j)', async (codec, bytes) => {
    const options = { port: await freePort() };
    const host = await startHost(options, { steps: ['exitAtQuit', 'acquire'], ...codec });
    const sockets = [await connect(options.port), await connect(options.port), await connect(options.port)];
    const ends = sockets.map((socket) => {
      const ended = new Promise<string>((resolve) => {
        socket.once('end', () => resolve('end'));
        socket.once('error', (error: NodeJS.ErrnoException) => resolve(String(error.code)));
      });
      socket.resume().write(bytes);
      return ended;
    });
    expect((await launch({ options, ...codec }, 'quit').exited()).code).toBe(0);
    expect((await host.exited()).code).toBe(0);
    expect(await Promise.all(ends)).toEqual(Array(3).fill('ECONNRESET'));
  });

  test.each([{}, { codec: 'json' }] as const)('makes a launch host that it has not dispatched (%j)', async (codec) => {
    const options = { port: await freePort() };
    const host = await startHost(options, { steps: ['exitAtClient', 'acquire'], ...codec });
    const next = launch({ options, ...codec }, 'a');
    await next.line('host');
    expect((await host.exited()).code).toBe(3);
    expect(host.all('args')).toEqual([]);
  });
});

describe('a host on Linux', () => {
  test.runIf(process.platform === 'linux')(
    'warns once of a limit of open files that is too low for maxConnections',
    async () => {
      const program = `
    import { Singleton } from ${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)};
    const app = await Singleton.acquire({ port: 0 });
    app.on('warning', ({ code, message }) => console.log(JSON.stringify({ event: 'warning', code, message })));
    app.on('args', () => {});
    await Singleton.send({ port: Number(new URL(app.endpoint).port), args: ['a'] });
    await app.release();`;
      const command = 'ulimit -n 64 && exec "$0" --input-type=module --eval "$1"';
      const host = run('bash', ['-c', command, process.execPath, program]);
      expect(await host.exited()).toEqual({ code: 0, signal: null });
      expect(host.all('warning')).toMatchObject([
        { code: 'ERR_SINGLETON_BUSY', message: expect.stringContaining('may open 64 files') },
      ]);
    },
  );
});

describe('a host without a listener of "args"', () => {
  test('lives until its last session ends, also if an earlier launch was answered and is still queued', async () => {
    const dist = new URL('../../dist/', import.meta.url).href;
    const code = `
      const { Singleton } = await import('${dist}index.js');
      const { json } = await import('${dist}codecs/json.js');
      const app = await Singleton.acquire({ port: 0, codec: json(), args: '' });
      app.once('client', (first) => {
        first.exit(2);
        app.once('client', (second) => {
          // A listener of a signal does not keep the process alive: only the session does.
          const signaled = new Promise((resolve) => process.once('SIGUSR2', () => resolve(second.exit(5))));
          console.log(JSON.stringify({ event: 'second' }));
          return signaled;
        });
      });
      console.log(JSON.stringify({ event: 'host', port: Number(new URL(app.endpoint).port) }));`;
    const host = run(process.execPath, ['--input-type=module', '--eval', code]);
    const { port } = await host.line('host');
    const send = (): Promise<Receipt> => Singleton.send({ port: Number(port), codec: json(), args: 'x', wait: true });
    expect(await send()).toMatchObject({ exitCode: 2 });
    const second = send();
    await host.line('second');
    host.signal('SIGUSR2');
    expect(await second).toMatchObject({ exitCode: 5 });
    expect(await host.exited()).toEqual({ code: 0, signal: null });
  });
});
