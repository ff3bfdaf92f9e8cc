import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  connect,
  fixture,
  freePort,
  waitForClose,
  startHost,
  launch,
  type Line,
  portOf,
  dispatchedArgs,
  run,
  startForeignServer,
  waitUntil,
} from '../helpers/program.ts';

const isLinux = process.platform === 'linux';
const isWindows = process.platform === 'win32';

/** Short enough to wait for, and not the default. */
const deliveryTimeout = 500;

describe('a second launch', () => {
  test('delivers its exact arguments and exits with status 0', async () => {
    const options = { port: await freePort() };
    const host = await startHost(options);
    const launches = [
      ['foo', 'bar', 'baz'],
      ['two words', '\ttab', 'hello\nworld', 'a\r\nb', ' '],
      ['naïve', '日本語', '🚀 launch', '👩‍👩‍👧', '\u{202e}rtl'],
      ['foo', '', 'bar'],
      ['', 'foo', ''],
      ['--line=3', '-v', 'C:\\temp\\a b.txt', '/tmp/ü.txt', '$HOME', '"quoted"', '*'],
    ];
    for (const args of launches) {
      const second = launch({ options }, ...args);
      expect(await second.exited()).toEqual({ code: 0, signal: null });
      // It left inside acquire(): nothing that follows it ran.
      expect(second.lines).toEqual([]);
      expect(second.stderr).toBe('');
    }
    expect(await dispatchedArgs(host, options)).toEqual(launches);
  });

  // A command line of Windows holds 32 KiB.
  test.skipIf(isWindows)('delivers 900,000 bytes', async () => {
    const options = { port: await freePort() };
    const host = await startHost(options);
    const args = Array.from({ length: 9000 }, (_, index) => String(index).padEnd(99, '.'));
    expect(await launch({ options }, ...args).exited()).toEqual({ code: 0, signal: null });
    expect((await host.line('args'))['args']).toEqual(args);
  });

  test('exits with status 0 or exitCode and is counted, but not dispatched, if it has no arguments', async () => {
    const options = { port: await freePort() };
    const host = await startHost(options);

    expect(await launch({ options }).exited()).toEqual({ code: 0, signal: null });
    const cron = launch({ options: { ...options, exitCode: 75 } });
    expect(await cron.exited()).toEqual({ code: 75, signal: null });
    expect(cron.stderr).toBe('');

    expect(await dispatchedArgs(host, options)).toEqual([]);
    expect(host.all('client')).toHaveLength(3);
  });

  test('delivers the arguments and rejects with MultipleSingletonsError and the receipt with strict: false', async () => {
    const options = { port: await freePort() };
    const host = await startHost(options);

    const second = launch({ options: { ...options, strict: false } }, 'lax');

    expect(await second.line('rejected')).toMatchObject({
      name: 'MultipleSingletonsError',
      code: 'ERR_SINGLETON_ALREADY_RUNNING',
      receipt: { outcome: 'unconfirmed' },
    });
    expect((await second.exited()).code).toBe(1);
    expect(second.stderr).toContain(`tcp://127.0.0.1:${options.port}`);
    expect((await host.line('args'))['args']).toEqual(['lax']);
  });

  test('does not connect with client: false, and its receipt has the outcome skipped', async () => {
    const server = await startForeignServer(() => {});
    const options = { port: server.port, client: false };

    const lax = launch({ options: { ...options, strict: false } }, 'not sent');
    expect(await lax.line('rejected')).toMatchObject({
      name: 'MultipleSingletonsError',
      receipt: { outcome: 'skipped' },
    });
    await lax.exited();
    expect(await launch({ options }, 'not sent').exited()).toEqual({ code: 0, signal: null });

    // Connections are accepted in the order in which they came: this one is after any of theirs.
    const last = await connect(options.port);
    await server.connected;
    expect(server.connections.map(({ remotePort }) => remotePort)).toEqual([last.localPort]);
  });

  test('binds an endpoint on ::1 as on 127.0.0.1', async (context) => {
    const port = await freePort('::1').catch(() => context.skip('this machine has no ::1'));
    const options = { address: '::1', port };
    const host = await startHost(options);
    expect((await host.line('host'))['endpoint']).toBe(`tcp://[::1]:${port}`);

    expect((await launch({ options }, 'six').exited()).code).toBe(0);
    expect((await host.line('args'))['args']).toEqual(['six']);
  });
});

describe('Singleton.send', () => {
  test('delivers the arguments to a host and resolves to the receipt', async () => {
    const options = { port: await freePort() };
    const host = await startHost(options);

    const sender = launch({ options, steps: ['send'] }, 'a', 'b');

    expect(await sender.line('sent')).toMatchObject({ outcome: 'unconfirmed' });
    expect((await sender.exited()).code).toBe(0);
    expect((await host.line('args'))['args']).toEqual(['a', 'b']);
  });

  test('rejects with NO_HOST without a host, exits with a status other than 0 and leaves the endpoint free', async () => {
    const options = { port: await freePort() };

    const sender = launch({ options, steps: ['send'] }, 'a');

    expect(await sender.line('rejected')).toMatchObject({ name: 'SingletonError', code: 'ERR_SINGLETON_NO_HOST' });
    expect((await sender.exited()).code).toBe(1);
    await startHost({ ...options, client: false });
  });
});

describe('16 processes that acquire at the same instant', () => {
  const COUNT = 16;

  test.each([1, 2, 3])('have one host and 15 deliveries on an endpoint that was never used, round %i', async () => {
    await race(await freePort());
  });

  // SIGKILL is not POSIX alone: Node ends a process as abruptly on Windows.
  test.each([1, 2, 3])(
    'have one host and 15 deliveries on an endpoint whose host was just killed, round %i',
    async () => {
      const port = await freePort();
      const first = await startHost({ port });
      // Connections that the killed host leaves must not matter.
      await connect(port);
      expect((await launch({ options: { port } }, 'before').exited()).code).toBe(0);
      await race(port, async () => void (await first.kill()));
    },
  );

  async function race(port: number, justBefore: () => Promise<void> = async () => {}): Promise<void> {
    const names = Array.from({ length: COUNT }, (_, index) => `launch ${index}`);
    const racers = names.map((name) => launch({ options: { port }, steps: ['wait', 'acquire'] }, name));
    await Promise.all(racers.map((racer) => racer.line('waiting')));

    await justBefore();
    for (const racer of racers) racer.writeLine();

    const host = await Promise.any(racers.map(async (racer) => racer.line('host').then(() => racer)));
    const clients = racers.filter((racer) => racer !== host);
    const exits = await Promise.all(clients.map((client) => client.exited()));
    expect(exits).toEqual(clients.map(() => ({ code: 0, signal: null })));
    expect(clients.flatMap((client) => client.all('host'))).toEqual([]);

    const expected = names.filter((_, index) => racers[index] !== host);
    const got = await dispatchedArgs(host, { port });
    expect(got).toHaveLength(expected.length);
    expect(new Set(got.flat())).toEqual(new Set(expected));
    expect(host.all('client')).toHaveLength(COUNT);
    expect(host.all('warning')).toEqual([]);
  }
});

describe('a cluster', () => {
  test('has one worker that is the host, and the others are its clients', async () => {
    const port = await freePort();
    const program = run(process.execPath, [fixture('cluster.js')], { CLUSTER: JSON.stringify({ port, workers: 4 }) });
    expect((await program.exited()).code).toBe(0);
    expect(program.all('worker').filter(({ outcome }) => outcome === 'host')).toHaveLength(1);
    expect(program.all('worker').filter(({ outcome }) => outcome === 'unconfirmed')).toHaveLength(3);
  });
});

describe('acquire() at an endpoint that cannot be bound', () => {
  test.runIf(isLinux)(
    // What an outgoing connection does to a port was measured on Linux alone.
    'rejects with ENDPOINT_UNAVAILABLE after deliveryTimeout for a port that an outgoing connection uses',
    async () => {
      const server = await startForeignServer(() => {});
      // No listen() and no local port of our choice, which would share it: the system lends one.
      const outgoing = await connect(server.port);
      const port = Number(outgoing.localPort);

      const program = launch({ options: { port, deliveryTimeout } }, 'a');

      const rejected = await program.line('rejected');
      expect(rejected).toMatchObject({ name: 'SingletonError', code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE' });
      expect(rejected['message']).toContain(`tcp://127.0.0.1:${port}`);
      expectExpired(rejected);
      expect((await program.exited()).code).toBe(1);
    },
  );

  test('rejects with ENDPOINT_UNAVAILABLE and the cause for an address that is not of this machine', async () => {
    // Of a network for documentation (RFC 5737): listening fails in the system, before any packet.
    const options = { address: '203.0.113.1', port: await freePort() };
    const program = launch({ options }, 'a');
    expect(await program.line('rejected')).toMatchObject({
      code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
      causeCode: 'EADDRNOTAVAIL',
    });
    expect((await program.exited()).code).toBe(1);
  });
});

describe('acquire() at an endpoint of another program', () => {
  test('rejects with FOREIGN_HOST for an HTTP server', async () => {
    const server = createHttpServer().listen(0, '127.0.0.1');
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    await once(server, 'listening');

    const program = launch({ options: { port: portOf(server) } }, 'a', 'b');

    expect(await program.line('rejected')).toMatchObject({ code: 'ERR_SINGLETON_FOREIGN_HOST' });
    expect((await program.exited()).code).toBe(1);
  });

  test('rejects with FOREIGN_HOST for a server that greets before it reads', async () => {
    const server = await startForeignServer((socket) => socket.resume().write('SSH-2.0-OpenSSH_9.6\r\n'));
    const program = launch({ options: { port: server.port } }, 'a');
    expect(await program.line('rejected')).toMatchObject({ code: 'ERR_SINGLETON_FOREIGN_HOST' });
    expect((await program.exited()).code).toBe(1);
  });

  test('rejects with HOST_UNRESPONSIVE after deliveryTimeout for a server that reads and never ends', async () => {
    const server = await startForeignServer((socket) => socket.resume());
    const program = launch({ options: { port: server.port, deliveryTimeout } }, 'a');
    const rejected = await program.line('rejected');
    expect(rejected).toMatchObject({ code: 'ERR_SINGLETON_HOST_UNRESPONSIVE' });
    expectExpired(rejected);
    expect((await program.exited()).code).toBe(1);
  });

  test('rejects with HOST_UNRESPONSIVE after deliveryTimeout, also in Singleton.send, for a server that reads and never ends', async () => {
    const server = await startForeignServer((socket) => socket.resume());
    const program = launch({ options: { port: server.port, deliveryTimeout }, steps: ['send'] }, 'a');
    const rejected = await program.line('rejected');
    expect(rejected).toMatchObject({ code: 'ERR_SINGLETON_HOST_UNRESPONSIVE' });
    expectExpired(rejected);
    expect((await program.exited()).code).toBe(1);
  });
});

// Windows has no signal that stops a process.
describe.skipIf(isWindows)('a frozen host', () => {
  test('causes HOST_UNRESPONSIVE after deliveryTimeout, and does not dispatch that launch when it continues', async () => {
    const options = { port: await freePort() };
    const host = await startHost(options);
    await host.freeze();

    const second = launch({ options: { ...options, deliveryTimeout } }, 'gave up');
    const rejected = await second.line('rejected');
    expect(rejected).toMatchObject({ code: 'ERR_SINGLETON_HOST_UNRESPONSIVE' });
    expectExpired(rejected);
    expect((await second.exited()).code).toBe(1);

    host.signal('SIGCONT');
    expect(await dispatchedArgs(host, options)).toEqual([]);
    expect(host.all('client')).toHaveLength(1);
  });

  test('does not dispatch a launch on a connection that it had accepted if the client has disconnected', async () => {
    const options = { port: await freePort() };
    const host = await startHost(options);
    const client = await connect(options.port);
    // Connections are accepted in the order in which they came: when this launch is served, that one is accepted.
    expect((await launch({ options }, 'first').exited()).code).toBe(0);
    await host.freeze();

    client.end('gave up\0');
    await once(client, 'finish');
    client.resetAndDestroy();
    await waitForClose(client);

    host.signal('SIGCONT');
    expect(await dispatchedArgs(host, options)).toEqual([['first']]);
    expect(host.all('client')).toHaveLength(2);
  });

  // Only Linux shows what lies in a port's queue.
  test.runIf(isLinux)('receives a waiting launch when it continues in time', async () => {
    const options = { port: await freePort() };
    const host = await startHost(options);
    await host.freeze();
    const second = launch({ options }, 'patient');
    await queued(options.port);

    host.signal('SIGCONT');

    expect((await second.exited()).code).toBe(0);
    expect((await host.line('args'))['args']).toEqual(['patient']);
  });
});

describe('the option signal', () => {
  test('rejects acquire() and leaves the endpoint free when it was aborted before', async () => {
    const options = { port: await freePort() };
    const program = launch({ options, steps: ['abort', 'acquire'] }, 'a');
    expect(await program.line('rejected')).toMatchObject({ code: 'ERR_SINGLETON_RELEASED' });
    expect((await program.exited()).code).toBe(1);
    expect(program.all('host')).toEqual([]);
    await startHost({ ...options, client: false });
  });

  test('rejects acquire() when it aborts during the delivery', async () => {
    const server = await startForeignServer((socket) => socket.resume());
    const program = launch({ options: { port: server.port }, steps: ['abortOnInput', 'acquire'] }, 'a');
    await server.connected;

    program.writeLine();

    const rejected = await program.line('rejected');
    expect(rejected).toMatchObject({ code: 'ERR_SINGLETON_RELEASED' });
    expect((await program.exited()).code).toBe(1);
  });

  test('releases the endpoint when it aborts on a host', async () => {
    const options = { port: await freePort() };
    const host = launch({ options, steps: ['acquire', 'abortOnInput'] });
    await host.line('end');
    host.writeLine();
    expect(await host.line('release')).toMatchObject({ reason: 'aborted' });
    expect((await host.exited()).code).toBe(0);
    await startHost({ ...options, client: false });
  });
});

/** Checks that it was `deliveryTimeout` that expired. */
function expectExpired({ message }: Line): void {
  expect(message).toContain(`${deliveryTimeout} ms`);
}

/** Returns when a whole message, its end included, waits for a listener that does not accept. */
async function queued(port: number): Promise<void> {
  const CLOSE_WAIT = '08';
  const row = new RegExp(`: \\w+:${port.toString(16).toUpperCase().padStart(4, '0')} \\w+:\\w+ ${CLOSE_WAIT} `);
  await waitUntil('a message to be queued', async () => row.test(await readFile('/proc/net/tcp', 'utf8')));
}
