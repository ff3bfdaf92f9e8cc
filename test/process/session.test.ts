import { describe, expect, test } from 'vitest';
import { freePort, launch } from '../helpers/program.ts';
import { relay } from '../helpers/relay.ts';
import {
  deliveryTimeout,
  exitsOf,
  expectInTime,
  expectNext,
  hosted,
  open,
  ready,
  secured,
} from '../helpers/structured.ts';

/** What the client may send before it has seen a hello: the preface for "msgpack" and no name, the handshake message. */
const PREFACE = 19;

describe.each([
  ['secured', secured, PREFACE + 48],
  ['open', open, PREFACE],
])('a conversation that is %s', (_, config, greeting) => {
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

  test('tells the launch that trips the threshold, and the endpoint is free', async () => {
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
    const between = await relay(port, greeting);
    const sender = launch({ ...config(between.port), steps: ['send'] }, 'lost');
    await between.holding;

    await host.kill();

    expect(await sender.line('rejected')).toMatchObject({ code: 'ERR_SINGLETON_CONNECTION_FAILED' });
    expect((await sender.exited()).code).toBe(1);
  });

  // Windows has no signal that stops a process.
  describe.skipIf(process.platform === 'win32')('with a host that freezes', () => {
    test('before it greets gives HOST_UNRESPONSIVE by the deadline, and the launch is not run later', async () => {
      const port = await freePort();
      const host = await hosted(config(port));
      await host.freeze();

      const second = launch(config(port, { deliveryTimeout }), 'gave up');
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
        const between = await relay(port, greeting);
        const options = how === 'gives up' ? { deliveryTimeout } : {};
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
});
