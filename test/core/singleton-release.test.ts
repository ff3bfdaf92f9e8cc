import { once } from 'node:events';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Singleton } from '../../src/index.ts';
import { closed, dialAccepted, hear, launch, portOf, start, startHost } from '../helpers/host.ts';
import { at, ScriptedTransport } from '../helpers/scripted-transport.ts';

afterEach(() => {
  vi.useRealTimers();
});

describe('release', () => {
  it('frees the endpoint within the call', async () => {
    const app = await startHost();
    const releasing = app.release();
    expect(app.listening).toBe(false);
    expect((await startHost({ port: portOf(app) })).listening).toBe(true);
    await releasing;
  });

  it('resolves after it was told, once, as manual', async () => {
    const app = await startHost();
    const { order } = hear(app);
    await app.release();
    expect(order).toEqual(['release manual']);
  });

  it('is idempotent, at the same time and afterwards', async () => {
    const app = await startHost();
    const { order } = hear(app);
    await Promise.all([app.release(), app.release()]);
    await app.release();
    expect(order).toEqual(['release manual']);
  });

  it('resolves after it was told, a second call too', async () => {
    const app = await startHost();
    const client = await dialAccepted(app);
    const { order } = hear(app);
    const first = app.release();
    const second = app.release().then(() => order.push('resolved'));
    client.end('late\0');
    await Promise.all([first, second]);
    expect(order).toEqual(['client', 'args', 'release manual', 'resolved']);
  });

  it('leaves a launch afterwards without a host', async () => {
    const app = await startHost();
    await app.release();
    await expect(launch(app, ['a'])).rejects.toMatchObject({ code: 'ERR_SINGLETON_NO_HOST' });
  });

  it('keeps the count, the endpoint and what waits', async () => {
    const app = await startHost();
    await launch(app, ['a']);
    const { endpoint } = app;
    await app.release();
    expect(app).toMatchObject({ clients: 1, endpoint: endpoint, arguments: [['a']] });
  });

  it('before any claim does nothing, and a claim may follow', async () => {
    const app = new Singleton({ port: 0 });
    const { order } = hear(app);
    await app.release();
    expect(order).toEqual([]);
    expect((await start(app)).listening).toBe(true);
  });

  it('in a listener of a launch serves that launch to its end', async () => {
    const app = await startHost();
    const heard = hear(app);
    const released = once(app, 'release');
    app.on('client', () => void app.release());
    expect(await launch(app, ['a'])).toEqual({ outcome: 'unconfirmed' });
    await released;
    expect(heard.order).toEqual(['client', 'args', 'release manual']);
  });

  it('serves a connection that was open, then is told', async () => {
    const app = await startHost();
    const client = await dialAccepted(app);
    const heard = hear(app);
    const releasing = app.release();
    client.end('late\0');
    expect(await closed(client)).toBe('end');
    await releasing;
    expect(heard.order).toEqual(['client', 'args', 'release manual']);
    expect(heard.args).toEqual([['late']]);
  });

  it('resets a connection that is open for a second, and is told after that', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const app = await startHost();
    const client = await dialAccepted(app);
    const heard = hear(app);
    const releasing = app.release();
    const closing = closed(client);
    await vi.advanceTimersByTimeAsync(999);
    expect([client.closed, heard.order]).toEqual([false, []]);
    await vi.advanceTimersByTimeAsync(1);
    expect(await closing).toBe('reset');
    await releasing;
    expect(heard.order).toEqual(['warning', 'release manual']);
    expect(heard.warnings).toEqual(['ERR_SINGLETON_RELEASED']);
  });
});

describe('release during a claim', () => {
  it.each([
    ['listen', 'taken', 'host'],
    ['listen', 'free', 'host'],
    ['connect', 'taken', 'hanging'],
    ['hand-off', 'taken', 'silent'],
  ] as const)(
    'at the %s of an endpoint that is %s rejects it as RELEASED and gives the endpoint back',
    async (...row) => {
      const [step, listen, connect] = row;
      const releases: Promise<void>[] = [];
      const onStep = at(step, () => releases.push(app.release()));
      const transport = new ScriptedTransport({ listen: [listen], connect: [connect], onStep });
      const app = new Singleton({ transport });
      const { order } = hear(app);
      await expect(app.acquire()).rejects.toMatchObject({ code: 'ERR_SINGLETON_RELEASED' });
      await Promise.all(releases);
      expect(releases).toHaveLength(1);
      expect(app.listening).toBe(false);
      expect(transport.listening).toBeUndefined();
      expect(order).toEqual([]);
    },
  );
});

it('release during a claim resolves once the claim is over', async () => {
  const order: string[] = [];
  const onStep = at('listen', () => void app.release().then(() => order.push('released')));
  const app = new Singleton({ transport: new ScriptedTransport({ onStep }) });
  await app.acquire().catch(() => order.push('rejected'));
  await app.release();
  expect(order).toEqual(['rejected', 'released']);
});

describe('acquire after a release', () => {
  it('rejects as RELEASED, however the Singleton was released', async () => {
    const app = await startHost();
    await app.release();
    await expect(app.acquire()).rejects.toMatchObject({ code: 'ERR_SINGLETON_RELEASED' });
    expect(app.listening).toBe(false);
  });

  it('rejects as RELEASED too while the release is under way', async () => {
    const app = await startHost();
    const releasing = app.release();
    await expect(app.acquire()).rejects.toMatchObject({ code: 'ERR_SINGLETON_RELEASED' });
    await releasing;
  });
});
