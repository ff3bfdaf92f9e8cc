import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Singleton } from '../../src/index.ts';
import { startHostOn, launchWaiting, type Strings, wires } from '../helpers/answer.ts';
import { launch, portOf, startHost } from '../helpers/host.ts';

const [wire] = wires;

/** A loop that records its launches, and works on each until the test ends it. */
function loopOver(app: Singleton): { readonly seen: Strings[]; readonly go: () => void; readonly done: Promise<void> } {
  const seen: Strings[] = [];
  const finish: (() => void)[] = [];
  const done = (async () => {
    for await (const { args } of app) {
      seen.push(args);
      await new Promise<void>((resolve) => finish.push(resolve));
    }
  })();
  return { seen, go: () => finish.shift()?.(), done };
}

describe('a loop over launches that begins before acquire()', () => {
  it('ends when acquire() fails, and a later loop receives launches', async () => {
    const host = await startHost();
    const app = new Singleton({ port: portOf(host), args: ['a'], strict: false });
    const next = app[Symbol.asyncIterator]().next();
    await expect(app.acquire()).rejects.toMatchObject({ code: 'ERR_SINGLETON_ALREADY_RUNNING' });
    expect(await next).toEqual({ value: undefined, done: true });
    await host.release();
    await app.acquire();
    onTestFinished(() => app.release());
    const later = app[Symbol.asyncIterator]().next();
    await launch(app, ['b']);
    expect(await later).toMatchObject({ value: { args: ['b'] } });
  });
});

async function turns(): Promise<void> {
  for (let count = 0; count < 3; count += 1) await turn();
}

describe('a loop over launches', () => {
  it('receives queued and later launches with their clients, in order', async () => {
    const app = await startHost();
    await launch(app, ['a']);
    const seen: unknown[] = [];
    const done = (async () => {
      for await (const { args, client } of app) seen.push([args, client.number]);
    })();
    await launch(app, ['b']);
    await launch(app, []);
    await launch(app, ['c']);
    await app.release();
    await done;
    expect(seen).toEqual([
      [['a'], 1],
      [['b'], 2],
      [['c'], 4],
    ]);
  });

  it('queues launches while its body runs, also if there is a listener', async () => {
    const app = await startHost();
    const heard: Strings[] = [];
    app.on('args', (args) => heard.push(args));
    const { seen, go, done } = loopOver(app);
    for (const arg of ['a', 'b', 'c']) await launch(app, [arg]);
    expect(seen).toEqual([['a']]);
    expect(heard).toEqual([['a']]);
    expect(app.arguments).toEqual([['b'], ['c']]);
    go();
    await turns();
    expect(seen).toEqual([['a'], ['b']]);
    expect(heard).toEqual([['a'], ['b']]);
    const released = app.release();
    go();
    await released;
    go();
    await turns();
    go();
    await done;
    expect(seen).toEqual([['a'], ['b'], ['c']]);
  });

  it('receives the next launch, and not the current one, when a listener begins it', async () => {
    const app = await startHost();
    const seen: (readonly string[])[] = [];
    app.once('args', (args) => {
      seen.push(args);
      void (async () => {
        for await (const arrival of app) seen.push(arrival.args);
      })();
    });
    await launch(app, ['first']);
    await turns();
    await launch(app, ['second']);
    await turns();
    expect(seen).toEqual([['first'], ['second']]);
  });

  it('does not end other loops when it is left', async () => {
    const app = await startHost();
    await launch(app, ['a']);
    for await (const { args } of app) {
      expect(args).toEqual(['a']);
      break;
    }
    await launch(app, ['b']);
    expect(app.arguments).toEqual([['b']]);
  }, 2000);

  it('does not start after the endpoint was released', async () => {
    const app = await startHost();
    await app.release();
    for await (const _ of app) throw new Error('nothing was expected');
  });

  it('ends with the release, and later next() calls are done', async () => {
    const app = await startHost();
    const loop = app[Symbol.asyncIterator]();
    const next = loop.next();
    await app.release();
    expect(await next).toEqual({ value: undefined, done: true });
    expect(await loop.next()).toEqual({ value: undefined, done: true });
  });

  it('allows several calls of next() at once', async () => {
    const app = await startHost();
    const loop = app[Symbol.asyncIterator]();
    const asked = [loop.next(), loop.next(), loop.next()];
    await launch(app, ['a']);
    await launch(app, ['b']);
    await app.release();
    const values = (await Promise.all(asked)).map(({ value }) => value?.args);
    expect(values).toEqual([['a'], ['b'], undefined]);
  });
});

describe('a waiting launch in a loop', () => {
  it('exits with 0 when the loop requests the next, and else with its result', async () => {
    const { app } = await startHostOn(wire);
    const done = (async () => {
      for await (const { args, client } of app) {
        await turn();
        if (args[0] === 'exit') client.exit(6);
      }
    })();
    expect(await launchWaiting(app, wire).result).toMatchObject({ exitCode: 0 });
    expect(await launchWaiting(app, wire, { args: ['exit'] }).result).toMatchObject({ exitCode: 6 });
    await app.release();
    await done;
  });

  it.each(['break', 'error'])('fails when the loop is left by a %s before its result', async (way) => {
    const { app } = await startHostOn(wire);
    const { result } = launchWaiting(app, wire);
    const looping = (async () => {
      for await (const { client } of app) {
        client.stdout.write('x');
        if (way === 'break') break;
        throw new Error('boom');
      }
    })();
    await looping.catch(() => {});
    expect(await result).toMatchObject({ code: 'ERR_SINGLETON_LISTENER_FAILED' });
  });

  it('ends when a listener of the same launch has ended the loop', async () => {
    const { app } = await startHostOn(wire);
    const loop = app[Symbol.asyncIterator]();
    const next = loop.next();
    app.on('args', () => void loop.return?.());
    expect(await launchWaiting(app, wire).result).toMatchObject({ exitCode: 0 });
    expect(await next).toEqual({ value: undefined, done: true });
  });

  it('ends with its result when the loop is left after it', async () => {
    const { app } = await startHostOn(wire);
    const { result } = launchWaiting(app, wire);
    for await (const { client } of app) {
      client.exit(3);
      break;
    }
    expect(await result).toMatchObject({ exitCode: 3 });
  });

  it('causes a warning and is dropped if its client disconnects before its turn', async () => {
    const { app, warnings } = await startHostOn(wire);
    const first = launchWaiting(app, wire, { args: ['gone'] });
    const second = launchWaiting(app, wire, { args: ['here'] });
    while (app.arguments.length < 2) await turn();
    const gone = new Promise((resolve) => app.once('warning', resolve));
    first.abort();
    await first.result;
    // Its connection closes in a turn of its own.
    while (app.arguments.length > 1) await turn();
    expect(app.arguments).toEqual([['here']]);
    const seen: Strings[] = [];
    app.on('args', (args) => seen.push(args));
    expect(await second.result).toMatchObject({ exitCode: 0 });
    await gone;
    expect(seen).toEqual([['here']]);
    expect(warnings).toMatchObject([{ code: 'ERR_SINGLETON_CONNECTION_FAILED' }]);
  });
});
