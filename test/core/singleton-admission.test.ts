import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { Singleton } from '../../src/index.ts';
import { endpointNames, endpoints, transportAt } from '../helpers/endpoints.ts';
import { closed, dial, hear, launch, speak, startHost } from '../helpers/host.ts';

describe.each(endpointNames)('over %s, maxClients', (endpoint) => {
  it('a client beyond it is counted and not published', async () => {
    const app = await startHost({ transport: endpoints[endpoint](), maxClients: 2 });
    const heard = hear(app);
    for (const name of ['1', '2', '3', '4']) await launch(app, [name]);
    expect(heard.order).toEqual(['client', 'args', 'client', 'args', 'client', 'client']);
    expect(heard.args).toEqual([['1'], ['2']]);
    expect(app.clients).toBe(4);
  });

  it('a client beyond it does not wait for a listener', async () => {
    const app = await startHost({ transport: endpoints[endpoint](), maxClients: 1 });
    await launch(app, ['1']);
    await launch(app, ['2']);
    expect(app.arguments).toEqual([['1']]);
  });

  it('clients without arguments use it up', async () => {
    const app = await startHost({ transport: endpoints[endpoint](), maxClients: 1 });
    const heard = hear(app);
    await launch(app, []);
    await launch(app, ['2']);
    expect(heard.order).toEqual(['client', 'client']);
  });
});

describe.each(endpointNames)('over %s, releaseThreshold', (endpoint) => {
  it('the client that reaches it releases the endpoint, and its arguments are not published', async () => {
    const app = await startHost({ transport: endpoints[endpoint](), releaseThreshold: 2 });
    const heard = hear(app);
    const released = once(app, 'release');
    await launch(app, ['1']);
    expect(app.listening).toBe(true);
    await launch(app, ['2']);
    expect(await released).toEqual(['threshold']);
    expect(heard.order).toEqual(['client', 'args', 'client', 'release threshold']);
    expect(heard.args).toEqual([['1']]);
    expect(app).toMatchObject({ clients: 2, listening: false, arguments: [] });
  });

  it('the endpoint is held while the client is told, and free right after', async () => {
    const app = await startHost({ transport: endpoints[endpoint](), releaseThreshold: 1 });
    const states: boolean[] = [];
    const released = once(app, 'release');
    app.on('client', () => {
      states.push(app.listening);
      queueMicrotask(() => states.push(app.listening));
    });
    await launch(app, []);
    await released;
    expect(states).toEqual([true, false]);
  });

  it('the endpoint can be claimed as soon as it is released', async () => {
    const app = await startHost({ transport: endpoints[endpoint](), releaseThreshold: 1 });
    const released = once(app, 'release');
    await launch(app, ['a']);
    await released;
    expect((await startHost({ transport: transportAt(app.endpoint) })).listening).toBe(true);
  });

  it('goes before maxClients', async () => {
    const app = await startHost({ transport: endpoints[endpoint](), releaseThreshold: 2, maxClients: 1 });
    const heard = hear(app);
    const released = once(app, 'release');
    for (const name of ['1', '2']) await launch(app, [name]);
    await released;
    expect(heard.order).toEqual(['client', 'args', 'client', 'release threshold']);
  });

  it('above maxClients, the clients between are throttled', async () => {
    const app = await startHost({ transport: endpoints[endpoint](), releaseThreshold: 3, maxClients: 1 });
    const heard = hear(app);
    const released = once(app, 'release');
    for (const name of ['1', '2', '3']) await launch(app, [name]);
    await released;
    expect(heard.order).toEqual(['client', 'args', 'client', 'client', 'release threshold']);
  });

  it('a connection that sends no launch does not reach it', async () => {
    const app = await startHost({ transport: endpoints[endpoint](), releaseThreshold: 1 });
    const heard = hear(app);
    await speak(app, '');
    await speak(app, 'cut off');
    // On a pipe, who sends nothing has only knocked.
    expect(heard.order).toEqual(endpoint === 'pipe' ? ['warning'] : ['warning', 'warning']);
    expect(app).toMatchObject({ clients: 0, listening: true });
  });

  it('a connection that is open when it is reached is reset, and its launch is not counted', async () => {
    const app = await startHost({ transport: endpoints[endpoint](), releaseThreshold: 1 });
    const heard = hear(app);
    const released = once(app, 'release');
    const open = await dial(app);
    open.write('late\0');
    const closing = closed(open);
    await launch(app, ['a']);
    expect(await closing).toBe('reset');
    await released;
    expect(heard.order).toEqual(['client', 'warning', 'release threshold']);
    expect(heard.warnings).toEqual(['ERR_SINGLETON_RELEASED']);
    expect(app.clients).toBe(1);
  });

  it('of many simultaneous launches one reaches it, and the others see that nobody took them', async () => {
    const app = await startHost({ transport: endpoints[endpoint](), releaseThreshold: 1 });
    const released = once(app, 'release');
    const results = await Promise.allSettled(
      Array.from({ length: 10 }, (_, i) =>
        Singleton.send({ transport: transportAt(app.endpoint), args: [`launch ${i}`] }),
      ),
    );
    await released;
    expect(app.clients).toBe(1);
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))).toMatchObject(
      Array.from({ length: 9 }, () => ({ code: 'ERR_SINGLETON_NO_HOST' })),
    );
  });
});
