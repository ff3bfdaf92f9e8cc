import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import type { Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { AppConfig } from '../fixtures/app.js';
import { freePort, hostOf, launch, portOf, stranger, type Line, type Program } from './program.ts';
import { relay } from './relay.ts';

const isWindows = process.platform === 'win32';
const secret = 'correct-horse-battery-staple';
const SECRET_ARG = 'the-quiet-part';
/** Short enough to wait for, and an allowance for a busy machine that is far below the default of 10 s. */
const handOffTimeout = 1000;
const ALLOWANCE = 4000;

/** What the client may send before it has seen a hello: the preface for "msgpack" and no name, the handshake message. */
const PREFACE = 19;
const GREETINGS = { secured: PREFACE + 48, open: PREFACE };

describe.each([
  ['secured', { secret }],
  ['open', {}],
] as const)('a conversation that is %s', (kind, shared) => {
  const config = (port: number, more: AppConfig['options'] = {}) =>
    ({ codec: 'msgpack', options: { port, ...shared, ...more } }) as const;

  test('confirms a launch, which arrives with its directory and its process', async () => {
    const port = await freePort();
    const host = await hosted(config(port));

    const sender = launch({ ...config(port), steps: ['send'] }, 'naïve', '', '🚀');

    expect(await sender.line('sent')).toMatchObject({ outcome: 'delivered', client: 1, host: { pid: host.pid } });
    expect((await sender.exited()).code).toBe(0);
    expect(await host.line('args')).toMatchObject({ args: ['naïve', '', '🚀'], cwd: process.cwd(), pid: sender.pid });
    expect(host.all('warning')).toEqual([]);
  });

  test('lets a strict launch exit with status 0, and gives a lax one its receipt', async () => {
    const port = await freePort();
    const host = await hosted(config(port, { maxClients: 1 }));
    expect(await launch(config(port), 'first').exited()).toEqual({ code: 0, signal: null });

    const lax = launch(config(port, { strict: false }), 'second');

    expect(await lax.line('rejected')).toMatchObject({
      code: 'ERR_SINGLETON_ALREADY_RUNNING',
      receipt: { outcome: 'throttled', client: 2 },
    });
    await lax.exited();
    expect(host.all('args').map(({ args }) => args)).toEqual([['first']]);
  });

  test('tells the launch that trips the threshold, and the place is free', async () => {
    const port = await freePort();
    const host = await hosted(config(port, { releaseThreshold: 1 }));
    const sender = launch({ ...config(port), steps: ['send'] }, 'last');
    expect(await sender.line('sent')).toMatchObject({ outcome: 'released' });
    expect(await host.line('release')).toMatchObject({ reason: 'threshold' });
    expect((await host.exited()).code).toBe(0);
    await hosted(config(port, { client: false }));
  });

  test('is not a reset but a new claim for launches that race with a release', async () => {
    const port = await freePort();
    const host = await hosted(config(port, { releaseThreshold: 4 }));
    const racers = await ready(12, config(port));

    for (const racer of racers) racer.tell();

    await host.line('release');
    const next = await Promise.any(racers.map(async (racer) => racer.line('host').then(() => racer)));
    const others = racers.filter((racer) => racer !== next);
    expect(await exitsOf(others)).toEqual(others.map(() => ({ code: 0, signal: null })));
    // Four to the first host, the fourth of them dropped; one became the next host, which got the others.
    expect(host.all('args')).toHaveLength(3);
    await next.line('args', ({ number }) => number === 7);
  });

  test('ends in CONNECTION_FAILED on the client when the host is killed with the launch in its hands', async () => {
    const port = await freePort();
    const host = await hosted(config(port));
    const between = await relay(port, GREETINGS[kind]);
    const sender = launch({ ...config(between.port), steps: ['send'] }, 'lost');
    await between.holding;

    await host.kill();

    expect(await sender.line('rejected')).toMatchObject({ code: 'ERR_SINGLETON_CONNECTION_FAILED' });
    expect((await sender.exited()).code).toBe(1);
  });

  // Windows has no signal that stops a process.
  describe.skipIf(isWindows)('with a host that freezes', () => {
    test('before it greets gives HOST_UNRESPONSIVE by the deadline, and the launch is not run later', async () => {
      const port = await freePort();
      const host = await hosted(config(port));
      await host.freeze();

      const second = launch(config(port, { handOffTimeout }), 'gave up');
      const rejected = await second.line('rejected');
      expect(rejected).toMatchObject({ code: 'ERR_SINGLETON_HOST_UNRESPONSIVE' });
      expectInTime(rejected);
      expect((await second.exited()).code).toBe(1);

      host.signal('SIGCONT');
      await expectNext(host, config(port));
    });

    test.each(['gives up', 'is killed'] as const)(
      'with the launch in its hands does not run it when it wakes, if its client %s meanwhile',
      async (how) => {
        const port = await freePort();
        const host = await hosted(config(port));
        const between = await relay(port, GREETINGS[kind]);
        const options = how === 'gives up' ? { handOffTimeout } : {};
        const sender = launch({ ...config(between.port, options), steps: ['send'] }, 'gave up');
        await between.holding;
        await host.freeze();

        if (how === 'is killed') await sender.kill();
        else expect(await sender.line('rejected')).toMatchObject({ code: 'ERR_SINGLETON_HOST_UNRESPONSIVE' });
        await between.left;
        await between.letGo();

        host.signal('SIGCONT');
        // That connection came before the next: it is over when the next is served.
        await host.line('warning', ({ code }) => code === 'ERR_SINGLETON_CONNECTION_FAILED');
        await expectNext(host, config(port));
      },
    );
  });

  describe('with a squatter', () => {
    const squatters: Readonly<Record<string, (socket: Socket) => void>> = {
      'that stays silent': (socket) => socket.resume(),
      'that accepts and closes': (socket) => socket.resume().end(),
      'that resets': (socket) => void socket.once('data', () => socket.resetAndDestroy()),
      'that echoes': (socket) => void socket.pipe(socket),
      'that greets': (socket) => socket.resume().write('220 mail.example.org\r\n'),
      'that greets like a host, but not quite': (socket) =>
        socket.resume().write(Buffer.from('f553534c0d0a1a0a01000001', 'hex')),
    };

    test.each(Object.entries(squatters))('%s says which by the deadline, and hands it nothing', async (name, act) => {
      const got: Buffer[] = [];
      const server = await stranger((socket) => {
        socket.on('data', (chunk) => got.push(chunk));
        act(socket);
      });

      const second = launch(config(server.port, { handOffTimeout }), SECRET_ARG);

      const rejected = await second.line('rejected');
      const silent = ['that stays silent', 'that accepts and closes', 'that resets'].includes(name);
      expect(rejected).toMatchObject({
        code: silent ? 'ERR_SINGLETON_HOST_UNRESPONSIVE' : 'ERR_SINGLETON_FOREIGN_HOST',
      });
      expect(rejected['ms']).toBeLessThan(handOffTimeout + ALLOWANCE);
      expect((await second.exited()).code).toBe(1);
      expectNothingTold(Buffer.concat(got));
    });

    test('that answers HTTP says FOREIGN_HOST', async () => {
      const server = createHttpServer().listen(0, '127.0.0.1');
      onTestFinished(() => {
        server.closeAllConnections();
        server.close();
      });
      await once(server, 'listening');
      const second = launch(config(portOf(server)), SECRET_ARG);
      expect(await second.line('rejected')).toMatchObject({ code: 'ERR_SINGLETON_FOREIGN_HOST' });
      expect((await second.exited()).code).toBe(1);
    });
  });
});

describe('a secret', () => {
  test('and what it guards are not seen by a relay, which passes on every byte', async () => {
    const port = await freePort();
    const host = await hosted(guarded(port));
    const between = await relay(port);
    const sender = launch({ ...guarded(between.port), steps: ['send'] }, SECRET_ARG);
    expect(await sender.line('sent')).toMatchObject({ outcome: 'delivered' });
    expect((await host.line('args'))['args']).toEqual([SECRET_ARG]);
    expect(between.seen().length).toBeGreaterThan(GREETINGS.secured);
    expectNothingTold(between.seen());
  });

  test('that a squatter does not know keeps the launch from it, although it speaks the conversation', async () => {
    const port = await freePort();
    const squatter = await hosted(guarded(port, { secret: 'a guess of twenty bytes' }));

    const second = launch(guarded(port), SECRET_ARG);

    expect(await second.line('rejected')).toMatchObject({ code: 'ERR_SINGLETON_VERIFICATION_FAILED' });
    expect((await second.exited()).code).toBe(1);
    expect(await squatter.line('verifyFailed')).toMatchObject({ reason: 'wrong-secret' });
    expect(squatter.all('client')).toEqual([]);
  });

  test.each([
    ['missing', { secret: undefined }, 'missing-secret'],
    ['wrong', { secret: 'another of twenty bytes' }, 'wrong-secret'],
  ])('that is %s is told on both sides', async (_, options, reason) => {
    const port = await freePort();
    const host = await hosted(guarded(port));
    const second = launch(guarded(port, options), SECRET_ARG);
    expect(await second.line('rejected')).toMatchObject({ code: 'ERR_SINGLETON_VERIFICATION_FAILED' });
    await second.exited();
    await host.line('verifyFailed');
    await expectNext(host, guarded(port));
    expect(host.all('verifyFailed')).toMatchObject([{ reason }]);
  });

  test('that the host does not have is not given to it', async () => {
    const port = await freePort();
    const host = await hosted(guarded(port, { secret: undefined }));
    const second = launch(guarded(port), SECRET_ARG);
    expect(await second.line('rejected')).toMatchObject({ code: 'ERR_SINGLETON_VERIFICATION_FAILED' });
    await second.exited();
    expect(await host.line('verifyFailed')).toMatchObject({ reason: 'unexpected-secret' });
    expect(host.all('client')).toEqual([]);
  });
});

describe('16 processes that claim at the same instant over msgpack with a secret', () => {
  const COUNT = 16;

  test.each([1, 2, 3, 4, 5])('give one host, 15 receipts and 15 launches, round %i', async () => {
    const options = { port: await freePort(), secret, strict: false };
    const racers = await ready(COUNT, { codec: 'msgpack', options });

    for (const racer of racers) racer.tell();

    const host = await Promise.any(racers.map(async (racer) => racer.line('host').then(() => racer)));
    const clients = racers.filter((racer) => racer !== host);
    const receipts = await Promise.all(clients.map((client) => client.line('rejected')));
    expect(receipts.map(({ receipt }) => receipt)).toMatchObject(
      clients.map(() => ({ outcome: 'delivered', host: { pid: host.pid } })),
    );
    await exitsOf(clients);
    await host.line('args', ({ number }) => number === COUNT - 1);
    const expected = racers.flatMap((racer, index) => (racer === host ? [] : [`launch ${index}`]));
    const got = host.all('args').flatMap(({ args }) => args);
    expect(got).toHaveLength(expected.length);
    expect(new Set(got)).toEqual(new Set(expected));
    expect([...host.all('warning'), ...host.all('verifyFailed')]).toEqual([]);
  });
});

/** Both sides with the secret, unless told otherwise. */
function guarded(port: number, more: AppConfig['options'] = {}): AppConfig {
  return { codec: 'msgpack', options: { port, secret, ...more } };
}

/** A host of this configuration, when it has the place. */
function hosted({ options, ...more }: AppConfig): Promise<Program> {
  return hostOf(options, more);
}

/** So many launches that have started, and wait for a word to claim. */
async function ready(count: number, config: AppConfig): Promise<readonly Program[]> {
  const racers = Array.from({ length: count }, (_, index) =>
    launch({ ...config, steps: ['wait', 'acquire'] }, `launch ${index}`),
  );
  await Promise.all(racers.map((racer) => racer.line('waiting')));
  return racers;
}

function exitsOf(programs: readonly Program[]): Promise<unknown[]> {
  return Promise.all(programs.map((program) => program.exited()));
}

/** The next launch is the first that the host counts. */
async function expectNext(host: Program, config: AppConfig): Promise<void> {
  expect((await launch(config, 'next').exited()).code).toBe(0);
  expect(await host.line('args')).toMatchObject({ args: ['next'], number: 1 });
}

function expectInTime({ ms }: Line): void {
  // Where a further try would be cut short the claim gives up a pause early, 40 ms at most.
  expect(ms).toBeGreaterThan(handOffTimeout - 100);
  expect(ms).toBeLessThan(handOffTimeout + ALLOWANCE);
}

function expectNothingTold(bytes: Buffer): void {
  for (const told of [secret, SECRET_ARG]) expect(bytes.includes(told)).toBe(false);
}
