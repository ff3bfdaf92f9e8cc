import { describe, expect, test } from 'vitest';
import { freePort, launch } from '../helpers/program.ts';
import { startRelay } from '../helpers/relay.ts';
import {
  deliveryTimeout,
  exitsOf,
  expectExpired,
  expectNext,
  startHostWith,
  open,
  startRacers,
  secured,
} from '../helpers/structured.ts';

/** What the client may send before it has seen a hello: the client hello for "msgpack" and no name, the handshake message. */
const CLIENT_HELLO_BYTES = 19;

describe.each([
  ['secured', secured, CLIENT_HELLO_BYTES + 48],
  ['open', open, CLIENT_HELLO_BYTES],
])('a launch over a connection that is %s', (_, config, greeting) => {
  test('arrives with its directory and its process, and resolves to a receipt', async () => {
    const port = await freePort();
    const host = await startHostWith(config(port));

    const sender = launch({ ...config(port), steps: ['send'] }, 'naïve', '', '🚀');

    expect(await sender.line('sent')).toMatchObject({ outcome: 'delivered', client: 1, host: { pid: host.pid } });
    expect((await sender.exited()).code).toBe(0);
    expect(await host.line('args')).toMatchObject({ args: ['naïve', '', '🚀'], cwd: process.cwd(), pid: sender.pid });
    expect(host.all('warning')).toEqual([]);
  });

  test('exits with status 0 if it is strict, and else rejects with its receipt', async () => {
    const port = await freePort();
    const host = await startHostWith(config(port, { maxClients: 1 }));
    expect(await launch(config(port), 'first').exited()).toEqual({ code: 0, signal: null });

    const lax = launch(config(port, { strict: false }), 'second');

    expect(await lax.line('rejected')).toMatchObject({
      code: 'ERR_SINGLETON_ALREADY_RUNNING',
      receipt: { outcome: 'throttled', client: 2 },
    });
    await lax.exited();
    expect(host.all('args').map(({ args }) => args)).toEqual([['first']]);
  });

  test('receives the outcome released when it reaches the threshold, and the endpoint is free', async () => {
    const port = await freePort();
    const host = await startHostWith(config(port, { releaseThreshold: 1 }));
    const sender = launch({ ...config(port), steps: ['send'] }, 'last');
    expect(await sender.line('sent')).toMatchObject({ outcome: 'released' });
    expect(await host.line('release')).toMatchObject({ reason: 'threshold' });
    expect((await host.exited()).code).toBe(0);
    await startHostWith(config(port, { client: false }));
  });

  test('tries again instead of failing when it races with a release', async () => {
    const port = await freePort();
    const host = await startHostWith(config(port, { releaseThreshold: 4 }));
    const racers = await startRacers(12, config(port));

    for (const racer of racers) racer.writeLine();

    await host.line('release');
    const next = await Promise.any(racers.map(async (racer) => racer.line('host').then(() => racer)));
    const others = racers.filter((racer) => racer !== next);
    expect(await exitsOf(others)).toEqual(others.map(() => ({ code: 0, signal: null })));
    // Four to the first host, the fourth of them dropped; one became the next host, which received the others.
    expect(host.all('args')).toHaveLength(3);
    await next.line('args', ({ number }) => number === 7);
  });

  test('rejects with CONNECTION_FAILED when the host is killed after it has the launch', async () => {
    const port = await freePort();
    const host = await startHostWith(config(port));
    const between = await startRelay(port, greeting);
    const sender = launch({ ...config(between.port), steps: ['send'] }, 'lost');
    await between.paused;

    await host.kill();

    expect(await sender.line('rejected')).toMatchObject({ code: 'ERR_SINGLETON_CONNECTION_FAILED' });
    expect((await sender.exited()).code).toBe(1);
  });

  // Windows has no signal that stops a process.
  describe.skipIf(process.platform === 'win32')('to a host that freezes', () => {
    test('rejects with HOST_UNRESPONSIVE by the deadline before the hello of the host, and does not run later', async () => {
      const port = await freePort();
      const host = await startHostWith(config(port));
      await host.freeze();

      const second = launch(config(port, { deliveryTimeout }), 'expired');
      const rejected = await second.line('rejected');
      expect(rejected).toMatchObject({ code: 'ERR_SINGLETON_HOST_UNRESPONSIVE' });
      expectExpired(rejected);
      expect((await second.exited()).code).toBe(1);

      host.signal('SIGCONT');
      await expectNext(host, config(port));
    });

    test.each(['times out', 'is killed'] as const)(
      'does not run when the host continues, if the client %s meanwhile',
      async (how) => {
        const port = await freePort();
        const host = await startHostWith(config(port));
        const between = await startRelay(port, greeting);
        const options = how === 'times out' ? { deliveryTimeout } : {};
        const sender = launch({ ...config(between.port, options), steps: ['send'] }, 'expired');
        await between.paused;
        await host.freeze();

        if (how === 'is killed') await sender.kill();
        else expect(await sender.line('rejected')).toMatchObject({ code: 'ERR_SINGLETON_HOST_UNRESPONSIVE' });
        await between.clientClosed;
        await between.resume();

        host.signal('SIGCONT');
        // That connection came before the next: it has ended when the next is served.
        await host.line('warning', ({ code }) => code === 'ERR_SINGLETON_CONNECTION_FAILED');
        await expectNext(host, config(port));
      },
    );
  });
});
