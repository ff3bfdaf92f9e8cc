import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  dial,
  fixture,
  freePort,
  gone,
  hostOf,
  launch,
  type Line,
  portOf,
  published,
  run,
  stranger,
  until,
} from '../helpers/program.ts';

const isLinux = process.platform === 'linux';
const isWindows = process.platform === 'win32';

/** A deadline short enough to wait for, and an allowance for a busy machine that is far below the default of 10 s. */
const deliveryTimeout = 500;
const ALLOWANCE = 4000;

describe('a second launch', () => {
  test('hands its exact arguments over and exits with status 0', async () => {
    const options = { port: await freePort() };
    const host = await hostOf(options);
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
    expect(await published(host, options)).toEqual(launches);
  });

  // A command line of Windows holds 32 KiB.
  test.skipIf(isWindows)('hands over 900,000 bytes', async () => {
    const options = { port: await freePort() };
    const host = await hostOf(options);
    const args = Array.from({ length: 9000 }, (_, index) => String(index).padEnd(99, '.'));
    expect(await launch({ options }, ...args).exited()).toEqual({ code: 0, signal: null });
    expect((await host.line('args'))['args']).toEqual(args);
  });

  test('without arguments is counted and exits with status 0, but nothing is published', async () => {
    const options = { port: await freePort() };
    const host = await hostOf(options);

    expect(await launch({ options }).exited()).toEqual({ code: 0, signal: null });

    expect(await published(host, options)).toEqual([]);
    expect(host.all('client')).toHaveLength(2);
  });

  test('with strict: false rejects with MultipleSingletonsError and its receipt, the arguments being delivered', async () => {
    const options = { port: await freePort() };
    const host = await hostOf(options);

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

  test('with client: false does not even connect, and its receipt says skipped', async () => {
    const server = await stranger(() => {});
    const options = { port: server.port, client: false };

    const lax = launch({ options: { ...options, strict: false } }, 'not sent');
    expect(await lax.line('rejected')).toMatchObject({
      name: 'MultipleSingletonsError',
      receipt: { outcome: 'skipped' },
    });
    await lax.exited();
    expect(await launch({ options }, 'not sent').exited()).toEqual({ code: 0, signal: null });

    // Connections are accepted in the order in which they came: this one is after any of theirs.
    const last = await dial(options.port);
    await server.connected;
    expect(server.connections.map(({ remotePort }) => remotePort)).toEqual([last.localPort]);
  });

  test('claims an endpoint on ::1 as on 127.0.0.1', async (context) => {
    const port = await freePort('::1').catch(() => context.skip('this machine has no ::1'));
    const options = { address: '::1', port };
    const host = await hostOf(options);
    expect((await host.line('host'))['endpoint']).toBe(`tcp://[::1]:${port}`);

    expect((await launch({ options }, 'six').exited()).code).toBe(0);
    expect((await host.line('args'))['args']).toEqual(['six']);
  });
});

describe('Singleton.send', () => {
  test('hands the arguments to a host and resolves to the receipt', async () => {
    const options = { port: await freePort() };
    const host = await hostOf(options);

    const sender = launch({ options, steps: ['send'] }, 'a', 'b');

    expect(await sender.line('sent')).toMatchObject({ outcome: 'unconfirmed' });
    expect((await sender.exited()).code).toBe(0);
    expect((await host.line('args'))['args']).toEqual(['a', 'b']);
  });

  test('to nobody rejects with NO_HOST, ends with a status that is not 0 and leaves the endpoint free', async () => {
    const options = { port: await freePort() };

    const sender = launch({ options, steps: ['send'] }, 'a');

    expect(await sender.line('rejected')).toMatchObject({ name: 'SingletonError', code: 'ERR_SINGLETON_NO_HOST' });
    expect((await sender.exited()).code).toBe(1);
    await hostOf({ ...options, client: false });
  });
});

describe('16 processes that claim at the same instant', () => {
  const COUNT = 16;

  test.each([1, 2, 3])('give one host and 15 deliveries on an endpoint that was never used, round %i', async () => {
    await race(await freePort());
  });

  // SIGKILL is not POSIX alone: Node ends a process as abruptly on Windows.
  test.each([1, 2, 3])(
    'give one host and 15 deliveries on an endpoint whose host was just killed, round %i',
    async () => {
      const port = await freePort();
      const first = await hostOf({ port });
      // Connections that the killed host leaves behind must not matter.
      await dial(port);
      expect((await launch({ options: { port } }, 'before').exited()).code).toBe(0);
      await race(port, async () => void (await first.kill()));
    },
  );

  async function race(port: number, justBefore: () => Promise<void> = async () => {}): Promise<void> {
    const names = Array.from({ length: COUNT }, (_, index) => `launch ${index}`);
    const racers = names.map((name) => launch({ options: { port }, steps: ['wait', 'acquire'] }, name));
    await Promise.all(racers.map((racer) => racer.line('waiting')));

    await justBefore();
    for (const racer of racers) racer.tell();

    const host = await Promise.any(racers.map(async (racer) => racer.line('host').then(() => racer)));
    const clients = racers.filter((racer) => racer !== host);
    const exits = await Promise.all(clients.map((client) => client.exited()));
    expect(exits).toEqual(clients.map(() => ({ code: 0, signal: null })));
    expect(clients.flatMap((client) => client.all('host'))).toEqual([]);

    const expected = names.filter((_, index) => racers[index] !== host);
    const got = await published(host, { port });
    expect(got).toHaveLength(expected.length);
    expect(new Set(got.flat())).toEqual(new Set(expected));
    expect(host.all('client')).toHaveLength(COUNT);
    expect(host.all('warning')).toEqual([]);
  }
});

test('one worker of a cluster is host, and the others are its clients', async () => {
  const port = await freePort();
  const program = run(process.execPath, [fixture('cluster.js')], { CLUSTER: JSON.stringify({ port, workers: 4 }) });
  expect((await program.exited()).code).toBe(0);
  expect(program.all('worker').filter(({ outcome }) => outcome === 'host')).toHaveLength(1);
  expect(program.all('worker').filter(({ outcome }) => outcome === 'unconfirmed')).toHaveLength(3);
});

describe('an endpoint that cannot be had', () => {
  test.runIf(isLinux)(
    // What an outgoing connection does to a port was measured on Linux alone.
    'a port that an outgoing connection holds ends in ENDPOINT_UNAVAILABLE by deliveryTimeout',
    async () => {
      const server = await stranger(() => {});
      // No listen() and no local port of our choice, which would share it: the system lends one.
      const outgoing = await dial(server.port);
      const port = Number(outgoing.localPort);

      const program = launch({ options: { port, deliveryTimeout } }, 'a');

      const rejected = await program.line('rejected');
      expect(rejected).toMatchObject({ name: 'SingletonError', code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE' });
      expect(rejected['message']).toContain(`tcp://127.0.0.1:${port}`);
      expectInTime(rejected);
      expect((await program.exited()).code).toBe(1);
    },
  );

  test('an address that is not of this machine ends in ENDPOINT_UNAVAILABLE at once', async () => {
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

describe('a host that is none', () => {
  test('an HTTP server on the endpoint gives FOREIGN_HOST', async () => {
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

  test('a server that greets before it reads gives FOREIGN_HOST', async () => {
    const server = await stranger((socket) => socket.resume().write('SSH-2.0-OpenSSH_9.6\r\n'));
    const program = launch({ options: { port: server.port } }, 'a');
    expect(await program.line('rejected')).toMatchObject({ code: 'ERR_SINGLETON_FOREIGN_HOST' });
    expect((await program.exited()).code).toBe(1);
  });

  test('a server that reads and never ends gives HOST_UNRESPONSIVE by deliveryTimeout', async () => {
    const server = await stranger((socket) => socket.resume());
    const program = launch({ options: { port: server.port, deliveryTimeout } }, 'a');
    const rejected = await program.line('rejected');
    expect(rejected).toMatchObject({ code: 'ERR_SINGLETON_HOST_UNRESPONSIVE' });
    expectInTime(rejected);
    expect((await program.exited()).code).toBe(1);
  });

  test('Singleton.send to a server that reads and never ends gives HOST_UNRESPONSIVE by deliveryTimeout', async () => {
    const server = await stranger((socket) => socket.resume());
    const program = launch({ options: { port: server.port, deliveryTimeout }, steps: ['send'] }, 'a');
    const rejected = await program.line('rejected');
    expect(rejected).toMatchObject({ code: 'ERR_SINGLETON_HOST_UNRESPONSIVE' });
    expectInTime(rejected);
    expect((await program.exited()).code).toBe(1);
  });
});

// Windows has no signal that stops a process.
describe.skipIf(isWindows)('a frozen host', () => {
  test('gives HOST_UNRESPONSIVE by deliveryTimeout, and once it goes on the launch that gave up is not published', async () => {
    const options = { port: await freePort() };
    const host = await hostOf(options);
    await host.freeze();

    const second = launch({ options: { ...options, deliveryTimeout } }, 'gave up');
    const rejected = await second.line('rejected');
    expect(rejected).toMatchObject({ code: 'ERR_SINGLETON_HOST_UNRESPONSIVE' });
    expectInTime(rejected);
    expect((await second.exited()).code).toBe(1);

    host.signal('SIGCONT');
    expect(await published(host, options)).toEqual([]);
    expect(host.all('client')).toHaveLength(1);
  });

  test('that had accepted a connection before does not publish what came over it if its client gave up', async () => {
    const options = { port: await freePort() };
    const host = await hostOf(options);
    const client = await dial(options.port);
    // Connections are accepted in the order in which they came: when this launch is served, that one is accepted.
    expect((await launch({ options }, 'first').exited()).code).toBe(0);
    await host.freeze();

    client.end('gave up\0');
    await once(client, 'finish');
    client.resetAndDestroy();
    await gone(client);

    host.signal('SIGCONT');
    expect(await published(host, options)).toEqual([['first']]);
    expect(host.all('client')).toHaveLength(2);
  });

  // Only Linux shows what lies in a port's queue.
  test.runIf(isLinux)('that goes on in time gets the launch that waits', async () => {
    const options = { port: await freePort() };
    const host = await hostOf(options);
    await host.freeze();
    const second = launch({ options }, 'patient');
    await queued(options.port);

    host.signal('SIGCONT');

    expect((await second.exited()).code).toBe(0);
    expect((await host.line('args'))['args']).toEqual(['patient']);
  });
});

describe('an abort signal', () => {
  test('that was aborted before rejects the claim and leaves the endpoint free', async () => {
    const options = { port: await freePort() };
    const program = launch({ options, steps: ['abort', 'acquire'] }, 'a');
    expect(await program.line('rejected')).toMatchObject({ code: 'ERR_SINGLETON_RELEASED' });
    expect((await program.exited()).code).toBe(1);
    expect(program.all('host')).toEqual([]);
    await hostOf({ ...options, client: false });
  });

  test('ends a claim in the middle of its hand-off', async () => {
    const server = await stranger((socket) => socket.resume());
    const program = launch({ options: { port: server.port }, steps: ['abortOnInput', 'acquire'] }, 'a');
    await server.connected;

    program.tell();

    const rejected = await program.line('rejected');
    expect(rejected).toMatchObject({ code: 'ERR_SINGLETON_RELEASED' });
    expect((await program.exited()).code).toBe(1);
  });

  test('on a host releases the endpoint', async () => {
    const options = { port: await freePort() };
    const host = launch({ options, steps: ['acquire', 'abortOnInput'] });
    await host.line('end');
    host.tell();
    expect(await host.line('release')).toMatchObject({ reason: 'aborted' });
    expect((await host.exited()).code).toBe(0);
    await hostOf({ ...options, client: false });
  });
});

function expectInTime({ ms }: Line): void {
  // Where a further try would be cut short the claim gives up a pause early, 40 ms at most.
  expect(ms).toBeGreaterThan(deliveryTimeout - 100);
  expect(ms).toBeLessThan(deliveryTimeout + ALLOWANCE);
}

/** Returns when a whole message, its end included, waits for a listener that does not accept. */
async function queued(port: number): Promise<void> {
  const CLOSE_WAIT = '08';
  const row = new RegExp(`: \\w+:${port.toString(16).toUpperCase().padStart(4, '0')} \\w+:\\w+ ${CLOSE_WAIT} `);
  await until('a message to be queued', async () => row.test(await readFile('/proc/net/tcp', 'utf8')));
}
