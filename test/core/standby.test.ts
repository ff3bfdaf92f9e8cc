import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { json } from '../../src/codecs/json.ts';
import { Singleton, type SingletonOptions, type Transport } from '../../src/index.ts';
import { endpointNames, endpoints, transportAt } from '../helpers/endpoints.ts';
import { launch, portOf, recordEvents, startHost } from '../helpers/host.ts';

/** A transport that counts how often it was found in use. */
interface Observed extends Transport {
  readonly inUse: number;
}

function observed(transport: Transport): Observed {
  let inUse = 0;
  return {
    ...transport,
    get inUse() {
      return inUse;
    },
    async listen(...args) {
      const listener = await transport.listen(...args);
      if (!listener) inUse += 1;
      return listener;
    },
  };
}

/** A Singleton that waits for the endpoint of a host, and has found it in use. */
async function standby(host: Singleton, options: SingletonOptions = {}): Promise<Singleton> {
  const transport = observed(transportAt(host.endpoint));
  const app = new Singleton({ standby: true, args: ['standby'], ...options, transport });
  onTestFinished(() => app.release());
  app.acquire().catch(() => {});
  while (transport.inUse === 0) await turn();
  return app;
}

describe.each(endpointNames)('acquire() with standby, over %s,', (name) => {
  it('becomes the host at once if the endpoint is free', async () => {
    const app = await startHost({ transport: endpoints[name](), standby: true });
    expect(app.listening).toBe(true);
    expect(app.mayHaveRun).toBe(false);
  });

  it('delivers nothing, and becomes the host when the endpoint is free', async () => {
    const host = await startHost({ transport: endpoints[name]() });
    const { order } = recordEvents(host);
    const app = await standby(host);
    expect(app.listening).toBe(false);
    await host.release();
    expect(await app.acquire()).toBe(app);
    expect(order).toEqual(['release manual']);
    const dispatched = once(app, 'args');
    await launch(app, ['next']);
    expect((await dispatched)[0]).toEqual(['next']);
  });

  it('lets one of several follow, and the next one after it', async () => {
    const host = await startHost({ transport: endpoints[name]() });
    const waiting = await Promise.all([standby(host), standby(host), standby(host)]);
    let last = host;
    for (const followers = new Set(waiting); followers.size > 0; followers.delete(last)) {
      await last.release();
      last = await Promise.race(Array.from(followers, (app) => app.acquire()));
      expect(waiting.filter(({ listening }) => listening)).toEqual([last]);
    }
  });

  it('ends when its signal aborts', async () => {
    const host = await startHost({ transport: endpoints[name]() });
    const controller = new AbortController();
    const app = await standby(host, { signal: controller.signal });
    const acquired = app.acquire();
    controller.abort(new Error('enough'));
    await expect(acquired).rejects.toMatchObject({ code: 'ERR_SINGLETON_RELEASED', cause: { message: 'enough' } });
    expect(host.listening).toBe(true);
  });

  it('rejects when its time is over, and may be called again', async () => {
    const host = await startHost({ transport: endpoints[name]() });
    const app = await standby(host, { standby: 1 });
    await expect(app.acquire()).rejects.toMatchObject({
      code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
      message: expect.stringContaining('still in use after 1 ms (standby)'),
    });
    await host.release();
    expect(await app.acquire()).toBe(app);
  });
});

describe('acquire() with standby', () => {
  it('tries at once when the transport reports a change', async () => {
    const host = await startHost({ transport: endpoints.memory() });
    const events: string[] = [];
    const transport = transportAt(host.endpoint);
    let onChange: (() => void) | undefined;
    const app = new Singleton({
      standby: true,
      transport: {
        ...transport,
        // In use, until it was reported to be free.
        listen: (...args) => (events.includes('reported') ? transport.listen(...args) : Promise.resolve(undefined)),
        watch(callback) {
          onChange = callback;
          return { close: () => void events.push('closed') };
        },
      },
    });
    onTestFinished(() => app.release());
    const acquired = app.acquire();
    await host.release();
    events.push('reported');
    onChange?.();
    await acquired;
    expect(events).toEqual(['reported', 'closed']);
  });

  it('waits although this process is itself the host, which a strict launch would refuse', async () => {
    const host = await startHost();
    const app = new Singleton({ port: portOf(host), standby: true });
    onTestFinished(() => app.release());
    const acquired = app.acquire();
    await host.release();
    expect((await acquired).listening).toBe(true);
  });

  it.each([
    [{ standby: true, replace: true, codec: json(), args: [] }, /Option "standby": expected false beside replace/],
    [{ standby: 0 }, /Option "standby": expected a boolean or an integer/],
    [{ standby: 'yes' }, /Option "standby": expected a boolean or an integer/],
  ])('is refused with %o', (options: object, message) => {
    expect(() => new Singleton(options)).toThrow(message);
  });
});

describe('acquire() with standby, at a store that many machines share,', () => {
  it('asks for what the watch may have missed, and no more', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    let asked = 0;
    const transport: Transport = {
      endpoint: 'etcd:key',
      takeoverTime: 600_000,
      listen: async () => void (asked += 1),
      connect: async () => undefined,
      watch: () => ({ close: () => {} }),
    };
    const app = new Singleton({ transport, args: [], standby: true });
    onTestFinished(() => app.release());
    app.acquire().catch(() => {});
    // Ten attempts of growing pauses would be over after 40 seconds.
    for (let second = 0; second < 120; second += 1) {
      vi.advanceTimersByTime(1000);
      for (let turns = 0; turns < 4; turns += 1) await turn();
    }
    expect(asked).toBeLessThan(40);
  });
});
