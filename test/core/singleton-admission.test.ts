import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { Singleton } from '../../src/index.ts';
import { endpointNames, endpoints, transportAt } from '../helpers/endpoints.ts';
import { waitForClose, connect, recordEvents, launch, sendBytes, startHost } from '../helpers/host.ts';

describe.each(endpointNames)('maxClients, over %s,', (endpoint) => {
  it('counts a client beyond it and does not dispatch its launch', async () => {
    const app = await startHost({ transport: endpoints[endpoint](), maxClients: 2 });
    const heard = recordEvents(app);
    for (const name of ['1', '2', '3', '4']) await launch(app, [name]);
    expect(heard.order).toEqual(['client', 'args', 'client', 'args', 'client', 'client']);
    expect(heard.args).toEqual([['1'], ['2']]);
    expect(app.clients).toBe(4);
  });

  it('does not queue the launch of a client beyond it', async () => {
    const app = await startHost({ transport: endpoints[endpoint](), maxClients: 1 });
    await launch(app, ['1']);
    await launch(app, ['2']);
    expect(app.arguments).toEqual([['1']]);
  });

  it('counts clients without arguments, too', async () => {
    const app = await startHost({ transport: endpoints[endpoint](), maxClients: 1 });
    const heard = recordEvents(app);
    await launch(app, []);
    await launch(app, ['2']);
    expect(heard.order).toEqual(['client', 'client']);
  });
});

describe.each(endpointNames)('releaseThreshold, over %s,', (endpoint) => {
  it('releases the endpoint at the client that reaches it, and does not dispatch its arguments', async () => {
    const app = await startHost({ transport: endpoints[endpoint](), releaseThreshold: 2 });
    const heard = recordEvents(app);
    const released = once(app, 'release');
    await launch(app, ['1']);
    expect(app.listening).toBe(true);
    await launch(app, ['2']);
    expect(await released).toEqual(['threshold']);
    expect(heard.order).toEqual(['client', 'args', 'client', 'release threshold']);
    expect(heard.args).toEqual([['1']]);
    expect(app).toMatchObject({ clients: 2, listening: false, arguments: [] });
  });

  it('keeps the endpoint during the client event, and frees it right after', async () => {
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

  it('lets another process acquire the endpoint as soon as it is released', async () => {
    const app = await startHost({ transport: endpoints[endpoint](), releaseThreshold: 1 });
    const released = once(app, 'release');
    await launch(app, ['a']);
    await released;
    expect((await startHost({ transport: transportAt(app.endpoint) })).listening).toBe(true);
  });

  it('takes precedence over maxClients', async () => {
    const app = await startHost({ transport: endpoints[endpoint](), releaseThreshold: 2, maxClients: 1 });
    const heard = recordEvents(app);
    const released = once(app, 'release');
    for (const name of ['1', '2']) await launch(app, [name]);
    await released;
    expect(heard.order).toEqual(['client', 'args', 'client', 'release threshold']);
  });

  it('throttles the clients between maxClients and the threshold', async () => {
    const app = await startHost({ transport: endpoints[endpoint](), releaseThreshold: 3, maxClients: 1 });
    const heard = recordEvents(app);
    const released = once(app, 'release');
    for (const name of ['1', '2', '3']) await launch(app, [name]);
    await released;
    expect(heard.order).toEqual(['client', 'args', 'client', 'client', 'release threshold']);
  });

  it('does not count a connection that sends no launch', async () => {
    const app = await startHost({ transport: endpoints[endpoint](), releaseThreshold: 1 });
    const heard = recordEvents(app);
    await sendBytes(app, '');
    await sendBytes(app, 'cut off');
    // A client that sends nothing wanted to know whether a host is there.
    expect(heard.order).toEqual(['warning']);
    expect(app).toMatchObject({ clients: 0, listening: true });
  });

  it('resets a connection that is open when it is reached, and does not count its launch', async () => {
    const app = await startHost({ transport: endpoints[endpoint](), releaseThreshold: 1 });
    const heard = recordEvents(app);
    const released = once(app, 'release');
    const open = await connect(app);
    open.write('late\0');
    const closing = waitForClose(open);
    await launch(app, ['a']);
    expect(await closing).toBe('reset');
    await released;
    expect(heard.order).toEqual(['client', 'warning', 'release threshold']);
    expect(heard.warnings).toEqual(['ERR_SINGLETON_RELEASED']);
    expect(app.clients).toBe(1);
  });

  it('releases the endpoint at one of many simultaneous launches, and accepts none of the others', async () => {
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
