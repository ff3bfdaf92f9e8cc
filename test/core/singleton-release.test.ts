import { once } from 'node:events';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Singleton } from '../../src/index.ts';
import { waitForClose, connectAccepted, recordEvents, launch, portOf, start, startHost } from '../helpers/host.ts';
import { at, ScriptedTransport } from '../helpers/scripted-transport.ts';

afterEach(() => {
  vi.useRealTimers();
});

describe('release', () => {
  it('frees the endpoint synchronously', async () => {
    const app = await startHost();
    const releasing = app.release();
    expect(app.listening).toBe(false);
    expect((await startHost({ port: portOf(app) })).listening).toBe(true);
    await releasing;
  });

  it('resolves after one release event, with the reason manual', async () => {
    const app = await startHost();
    const { order } = recordEvents(app);
    await app.release();
    expect(order).toEqual(['release manual']);
  });

  it('does nothing a second time, concurrently or afterwards', async () => {
    const app = await startHost();
    const { order } = recordEvents(app);
    await Promise.all([app.release(), app.release()]);
    await app.release();
    expect(order).toEqual(['release manual']);
  });

  it('emits release once although the transport reports a loss while it closes', async () => {
    const transport: ScriptedTransport = new ScriptedTransport({
      onStep: at('close', () => transport.listening?.options.onLost()),
    });
    const app = await Singleton.acquire({ transport });
    const { order } = recordEvents(app);
    await app.release();
    expect(order).toEqual(['release manual']);
  });

  it('resolves after the release event, a second call too', async () => {
    const app = await startHost();
    const client = await connectAccepted(app);
    const { order } = recordEvents(app);
    const first = app.release();
    const second = app.release().then(() => order.push('resolved'));
    client.end('late\0');
    await Promise.all([first, second]);
    expect(order).toEqual(['client', 'args', 'release manual', 'resolved']);
  });

  it('leaves no host for a later launch', async () => {
    const app = await startHost();
    await app.release();
    await expect(launch(app, ['a'])).rejects.toMatchObject({ code: 'ERR_SINGLETON_NO_HOST' });
  });

  it('keeps the count, the endpoint and the queued launches', async () => {
    const app = await startHost();
    await launch(app, ['a']);
    const { endpoint } = app;
    await app.release();
    expect(app).toMatchObject({ clients: 1, endpoint, arguments: [['a']] });
  });

  it('does nothing before acquire(), which may follow', async () => {
    const app = new Singleton({ port: 0 });
    const { order } = recordEvents(app);
    await app.release();
    expect(order).toEqual([]);
    expect((await start(app)).listening).toBe(true);
  });

  it('completes a launch in whose listener it is called', async () => {
    const app = await startHost();
    const heard = recordEvents(app);
    const released = once(app, 'release');
    app.on('client', () => void app.release());
    expect(await launch(app, ['a'])).toEqual({ outcome: 'unconfirmed' });
    await released;
    expect(heard.order).toEqual(['client', 'args', 'release manual']);
  });

  it('serves an open connection, then emits release', async () => {
    const app = await startHost();
    const client = await connectAccepted(app);
    const heard = recordEvents(app);
    const releasing = app.release();
    client.end('late\0');
    expect(await waitForClose(client)).toBe('end');
    await releasing;
    expect(heard.order).toEqual(['client', 'args', 'release manual']);
    expect(heard.args).toEqual([['late']]);
  });

  it('resets a connection that stays open for a second, then emits release', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const app = await startHost();
    const client = await connectAccepted(app);
    const heard = recordEvents(app);
    const releasing = app.release();
    const closing = waitForClose(client);
    await vi.advanceTimersByTimeAsync(999);
    expect([client.closed, heard.order]).toEqual([false, []]);
    await vi.advanceTimersByTimeAsync(1);
    expect(await closing).toBe('reset');
    await releasing;
    expect(heard.order).toEqual(['warning', 'release manual']);
    expect(heard.warnings).toEqual(['ERR_SINGLETON_RELEASED']);
  });
});

describe('release(), during acquire(),', () => {
  it.each([
    ['listen', 'taken', 'host'],
    ['listen', 'free', 'host'],
    ['connect', 'taken', 'hanging'],
    ['deliver', 'taken', 'silent'],
  ] as const)(
    'rejects acquire() with RELEASED and frees the endpoint at the %s of an endpoint that is %s',
    async (...row) => {
      const [step, listen, connect] = row;
      const releases: Promise<void>[] = [];
      const onStep = at(step, () => releases.push(app.release()));
      const transport = new ScriptedTransport({ listen: [listen], connect: [connect], onStep });
      const app = new Singleton({ transport });
      const { order } = recordEvents(app);
      await expect(app.acquire()).rejects.toMatchObject({ code: 'ERR_SINGLETON_RELEASED' });
      await Promise.all(releases);
      expect(releases).toHaveLength(1);
      expect(app.listening).toBe(false);
      expect(transport.listening).toBeUndefined();
      expect(order).toEqual([]);
    },
  );
});

it('resolves after the acquire() that it aborts has ended', async () => {
  const order: string[] = [];
  const onStep = at('listen', () => void app.release().then(() => order.push('released')));
  const app = new Singleton({ transport: new ScriptedTransport({ onStep }) });
  await app.acquire().catch(() => order.push('rejected'));
  await app.release();
  expect(order).toEqual(['rejected', 'released']);
});

describe('acquire(), after a release,', () => {
  it('rejects with RELEASED, however the Singleton was released', async () => {
    const app = await startHost();
    await app.release();
    await expect(app.acquire()).rejects.toMatchObject({ code: 'ERR_SINGLETON_RELEASED' });
    expect(app.listening).toBe(false);
  });

  it('rejects with RELEASED during the release, too', async () => {
    const app = await startHost();
    const releasing = app.release();
    await expect(app.acquire()).rejects.toMatchObject({ code: 'ERR_SINGLETON_RELEASED' });
    await releasing;
  });
});
