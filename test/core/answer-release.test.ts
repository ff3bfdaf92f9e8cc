import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { aborted, startHostOn, launchWaiting, nextClient, wires } from '../helpers/answer.ts';
import { launch, startHost } from '../helpers/host.ts';

describe.each(wires)('release() with waiting clients, over $name', (wire) => {
  it('waits for the result of a client', async () => {
    const { app } = await startHostOn(wire);
    const coming = nextClient(app);
    const { result } = launchWaiting(app, wire);
    const client = await coming;
    const released = app.release();
    expect(client.reply('late')).toBe(true);
    expect(await result).toMatchObject({ reply: 'late' });
    await released;
  });

  it('ends a client without a result after a second with RELEASED, and aborts its signal', async () => {
    const { app } = await startHostOn(wire);
    const coming = nextClient(app);
    const { result } = launchWaiting(app, wire);
    const client = await coming;
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const released = app.release();
    await vi.advanceTimersByTimeAsync(999);
    expect(client.signal.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    await released;
    expect(await result).toMatchObject({ name: 'SingletonError', code: 'ERR_SINGLETON_RELEASED' });
    await aborted(client.signal);
    expect(client.signal.reason).toMatchObject({ code: 'ERR_SINGLETON_RELEASED' });
    expect(client.exit(0)).toBe(false);
  });

  it('ends a client whose launch is still queued with RELEASED', async () => {
    const { app } = await startHostOn(wire);
    const { result } = launchWaiting(app, wire);
    while (app.arguments.length < 1) await turn();
    await app.release();
    expect(await result).toMatchObject({ code: 'ERR_SINGLETON_RELEASED' });
  });
});

describe.each(wires)('maxConnections with waiting clients, over $name', (wire) => {
  it('resets a new connection and never a waiting client, and accepts one when a client has its result', async () => {
    const { app, warnings } = await startHostOn(wire, { maxConnections: 2 });
    const clients = [nextClient(app)];
    const first = launchWaiting(app, wire, { args: ['first'] });
    await clients[0];
    clients.push(nextClient(app));
    const second = launchWaiting(app, wire, { args: ['second'] });
    await clients[1];
    const full = new Promise((resolve) => app.once('warning', resolve));
    const coming = nextClient(app);
    const third = launchWaiting(app, wire, { args: ['third'] });
    await full;
    expect(warnings[0]).toMatchObject({ code: 'ERR_SINGLETON_BUSY' });
    (await clients[0])?.exit(1);
    expect(await first.result).toMatchObject({ exitCode: 1 });
    (await coming).exit(3);
    expect(await third.result).toMatchObject({ exitCode: 3, client: 3 });
    (await clients[1])?.exit(2);
    expect(await second.result).toMatchObject({ exitCode: 2 });
  });
});

describe('the stdout of a client that does not wait', () => {
  it('discards output without an error', async () => {
    const app = await startHost();
    const coming = nextClient(app);
    await launch(app, ['a']);
    const client = await coming;
    expect(client.waiting).toBe(false);
    expect([client.reply('x'), client.exit(1)]).toEqual([false, false]);
    await new Promise<void>((resolve) => client.stdout.end('into the void', resolve));
    await new Promise<void>((resolve, reject) => {
      client.stderr.write('x'.repeat(1_000_000), (error) => (error ? reject(error) : resolve()));
    });
    expect(await client.stdin.toArray()).toEqual([]);
    expect(client.signal.aborted).toBe(false);
    expect(client.signal).toBe(client.signal);
  });
});
