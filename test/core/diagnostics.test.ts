import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { json } from '../../src/codecs/json.ts';
import { publish } from '../../src/core/diagnostics.ts';
import { type Client, type SendOptions, Singleton, type SingletonOptions } from '../../src/index.ts';
import { onMessage, recordMessages } from '../helpers/diagnostics.ts';
import { endpoints, transportAt } from '../helpers/endpoints.ts';
import { launch, recordEvents, startHost } from '../helpers/host.ts';
import { ScriptedTransport } from '../helpers/scripted-transport.ts';
import { uncaughtErrorsOf } from '../helpers/uncaught.ts';

type Strings = readonly string[];
const codec = json<Strings>();

function startJson(options: SingletonOptions = {}): Promise<Singleton> {
  return startHost({ transport: endpoints.memory(), codec, ...options });
}

/** Sends a launch that waits. Resolves to its receipt or its error. */
async function wait(app: Singleton, options: SendOptions = {}): Promise<unknown> {
  const stdio = { stdout: new PassThrough(), stderr: new PassThrough(), stdin: new PassThrough() };
  return launch(app, ['a'], { codec, wait: true, ...stdio, ...options }).catch((error: unknown) => error);
}

describe('publish', () => {
  it('builds no message while nobody subscribes', () => {
    const build = vi.fn<() => { endpoint: string; reason: 'manual' }>(() => ({ endpoint: 'a', reason: 'manual' }));
    publish('socket-singleton:release', build);
    expect(build).not.toHaveBeenCalled();
    const messages = recordMessages('release');
    publish('socket-singleton:release', build);
    expect(messages).toEqual([{ endpoint: 'a', reason: 'manual' }]);
    expect(build).toHaveBeenCalledTimes(1);
  });

  it('reports what a subscriber throws as uncaught, and calls the other subscribers and listeners', async () => {
    const app = await startJson();
    const error = new Error('from a subscriber');
    onMessage('dispatch', () => {
      throw error;
    });
    const messages = recordMessages('dispatch');
    const { args } = recordEvents(app);
    const uncaught = await uncaughtErrorsOf(() => launch(app, ['a'], { codec }));
    expect(uncaught).toEqual([error]);
    expect([messages.length, args]).toEqual([1, [['a']]]);
  });
});

describe('the channel socket-singleton:acquire', () => {
  it('has the outcome "host" of a process that became the host', async () => {
    const messages = recordMessages('acquire');
    const app = await startHost();
    await app.acquire();
    expect(messages).toEqual([{ endpoint: app.endpoint, outcome: 'host' }]);
  });

  it.each([
    ['delivered', {}],
    ['skipped', { client: false }],
  ])('has the outcome "%s" of a launch that is not strict', async (outcome, options) => {
    const { endpoint } = await startJson();
    const messages = recordMessages('acquire');
    const second = new Singleton({ transport: transportAt(endpoint), codec, strict: false, ...options });
    await expect(second.acquire()).rejects.toMatchObject({ receipt: { outcome } });
    expect(messages).toEqual([{ endpoint, outcome }]);
  });

  it('has the error of an attempt that failed, and then the outcome of the next one', async () => {
    const messages = recordMessages('acquire');
    const transport = new ScriptedTransport();
    const listen = vi.spyOn(transport, 'listen').mockRejectedValueOnce(new Error('not now'));
    const app = new Singleton({ transport });
    onTestFinished(() => app.release());
    const rejected = await app.acquire().catch((reason: unknown) => reason);
    await app.acquire();
    expect(listen).toHaveBeenCalledTimes(2);
    expect(rejected).toMatchObject({ message: 'not now' });
    expect(messages).toEqual([
      { endpoint: transport.endpoint, error: rejected },
      { endpoint: app.endpoint, outcome: 'host' },
    ]);
  });
});

describe('the channel socket-singleton:client', () => {
  it('has each client that is counted, before its listeners, also one whose arguments are ignored', async () => {
    const app = await startJson({ maxClients: 1 });
    const { endpoint } = app;
    const order: string[] = [];
    const messages = recordMessages('client');
    onMessage('client', () => order.push('message'));
    const { clients } = recordEvents(app);
    app.on('client', () => order.push('event'));
    await launch(app, ['a'], { codec });
    await launch(app, ['b'], { codec });
    expect(clients).toHaveLength(2);
    expect(messages).toEqual(clients.map((client) => ({ endpoint, client })));
    expect(order).toEqual(['message', 'event', 'message', 'event']);
  });

  it('has a client whose JSON says who it is', async () => {
    const app = await startJson();
    const messages = recordMessages('client');
    await launch(app, ['a'], { codec, version: '1.2' });
    const { pid } = process;
    const client = { number: 1, self: false, cwd: process.cwd(), pid, codec: 'json', version: '1.2', env: {} };
    expect(JSON.parse(JSON.stringify(messages))).toEqual([{ endpoint: app.endpoint, client }]);
  });
});

describe('the channel socket-singleton:dispatch', () => {
  it('has a launch when it is passed to a listener, and not while it waits for one', async () => {
    const app = await startJson();
    const { endpoint } = app;
    const messages = recordMessages('dispatch');
    await launch(app, ['queued'], { codec });
    expect(messages).toEqual([]);
    const arrived = once(app, 'args');
    const [, client] = await arrived;
    expect(messages).toEqual([{ endpoint, args: ['queued'], client }]);
    await launch(app, ['waits'], { codec });
    expect(messages).toHaveLength(1);
    app.on('args', () => {});
    await turn();
    await launch(app, ['at once'], { codec });
    expect(messages.map(({ args }) => args)).toEqual([['queued'], ['waits'], ['at once']]);
  });

  it('has a launch without arguments only if it waits, or if there is a handler', async () => {
    const app = await startJson();
    const messages = recordMessages('dispatch');
    app.on('args', (_, client) => client.exit());
    await launch(app, [], { codec });
    expect(messages).toHaveLength(0);
    await wait(app, { args: [] });
    expect(messages).toHaveLength(1);
    app.handle(() => new Promise(() => {}), { concurrency: 1 });
    await launch(app, [], { codec });
    expect(messages).toHaveLength(2);
    await launch(app, [], { codec });
    expect(app.arguments).toHaveLength(1);
    // The launch that waited for the handler is for nobody now.
    app.removeHandler();
    await turn();
    expect([app.arguments.length, messages.length]).toEqual([0, 2]);
  });
});

describe('the channel socket-singleton:result', () => {
  const unsendable: any = { toJSON: () => 1n };

  it.each<[string, (client: Client) => unknown, unknown]>([
    ['a reply', (client) => client.reply({ ok: true }), { result: 'reply', exitCode: 0, reply: { ok: true } }],
    ['an exit status', (client) => client.exit(3), { result: 'exit', exitCode: 3 }],
    ['no result', () => {}, { result: 'exit', exitCode: 0 }],
    ['a listener that throws', () => Promise.reject(new Error('fails')), { result: 'failed' }],
    ['a reply that cannot be sent', (client) => client.reply(unsendable), { result: 'failed' }],
  ])('has one message after %s', async (_, answer, expected) => {
    const app = await startJson();
    const messages = recordMessages('result');
    const clients: Client[] = [];
    app.on('warning', () => {});
    app.on('args', (__, client) => {
      clients.push(client);
      return answer(client);
    });
    await wait(app);
    await app.release();
    expect(messages).toEqual([{ endpoint: app.endpoint, client: clients[0], ...Object(expected) }]);
  });

  it('has no message for a launch that does not wait', async () => {
    const app = await startJson();
    const messages = recordMessages('result');
    app.on('args', (_, client) => client.exit());
    await launch(app, ['a'], { codec });
    await app.release();
    expect(messages).toEqual([]);
  });

  it('says that a client disconnected, also one that has not got its result yet', async () => {
    const app = await startJson();
    const messages = recordMessages('result');
    const controller = new AbortController();
    app.on('args', (_, client) => {
      client.exit();
      controller.abort();
      return new Promise(() => {});
    });
    // Two listeners: the result waits for the other one.
    app.on('args', () => new Promise(() => {}));
    await wait(app, { signal: controller.signal });
    while (messages.length === 0) await turn();
    expect(messages).toMatchObject([{ result: 'disconnected', client: { number: 1 } }]);
    expect(messages[0]).not.toHaveProperty('exitCode');
  });

  it('says that a signal has ended a client', async () => {
    const app = await startJson();
    const messages = recordMessages('result');
    const called = once(app, 'args');
    app.on('args', () => new Promise(() => {}));
    const result = wait(app, { forwardSignals: ['SIGUSR2'] });
    await called;
    while (process.listenerCount('SIGUSR2') === 0) await turn();
    process.emit('SIGUSR2', 'SIGUSR2');
    const { exitCode } = Object(await result);
    expect(exitCode).toBeGreaterThan(128);
    expect(messages).toMatchObject([{ result: 'killed', exitCode }]);
  });

  it('says that a launch was refused because the queue is full, and others released with the host', async () => {
    const app = await startJson({ maxPending: 1 });
    const messages = recordMessages('result');
    const first = wait(app);
    while (app.arguments.length === 0) await turn();
    expect(await wait(app)).toMatchObject({ code: 'ERR_SINGLETON_BUSY' });
    expect(messages).toMatchObject([{ result: 'refused', client: { number: 2 } }]);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const released = app.release();
    await vi.advanceTimersByTimeAsync(2000);
    await released;
    expect(await first).toMatchObject({ code: 'ERR_SINGLETON_RELEASED' });
    expect(messages.slice(1)).toMatchObject([{ result: 'released', client: { number: 1 } }]);
  });

  it('has the result that a release sends at once', async () => {
    const app = await startJson();
    const messages = recordMessages('result');
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    onTestFinished(() => void vi.useRealTimers());
    app.on('args', (_, client) => client.exit(4));
    app.on('args', () => new Promise(() => {}));
    const called = once(app, 'args');
    const result = wait(app);
    await called;
    const released = app.release();
    await vi.advanceTimersByTimeAsync(2000);
    expect(await result).toMatchObject({ exitCode: 4 });
    await released;
    expect(messages).toMatchObject([{ result: 'exit', exitCode: 4 }]);
  });
});

describe('the channel socket-singleton:warning', () => {
  it('has 100 of 150 warnings, and one with the number of the others, as the event', async () => {
    const app = await startJson({ maxPending: 1 });
    const { endpoint } = app;
    const warnings: unknown[] = [];
    app.on('warning', (warning) => warnings.push(warning));
    const messages = recordMessages('warning');
    await launch(app, ['a'], { codec });
    for (let count = 0; count < 150; count += 1) await launch(app, ['b'], { codec }).catch(() => {});
    expect(messages).toHaveLength(100);
    await app.release();
    expect(messages.at(-1)?.warning.message).toBe('Too many at once: 50 more warnings were not emitted.');
    expect(messages).toEqual(warnings.map((warning) => ({ endpoint, warning })));
  });

  it('has a warning from before there is a host', async () => {
    const messages = recordMessages('warning');
    const app = await startJson({ secret: 'too short' });
    await turn();
    expect(messages).toMatchObject([{ endpoint: app.endpoint, warning: { code: 'ERR_SINGLETON_INVALID_OPTION' } }]);
  });
});

describe('the channel socket-singleton:release', () => {
  it('has the reason, once, before the event', async () => {
    const app = await startJson({ idleTimeout: 1 });
    const { endpoint } = app;
    const messages = recordMessages('release');
    let before = 0;
    app.on('release', () => (before = messages.length));
    await once(app, 'release');
    await app.release();
    expect(messages).toEqual([{ endpoint, reason: 'idle' }]);
    expect(before).toBe(1);
  });

  it('has no message if there was no host', async () => {
    const messages = recordMessages('release');
    await new Singleton({ transport: endpoints.memory() }).release();
    expect(messages).toEqual([]);
  });
});
