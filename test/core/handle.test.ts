import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Singleton } from '../../src/index.ts';
import { launchWaiting, startHostOn, wires } from '../helpers/answer.ts';
import { launch, startHost } from '../helpers/host.ts';

const [wire] = wires;

describe.each(wires)('handle over $name', (each) => {
  it('replies with what the handler returns or resolves to, and exits with 0 for undefined', async () => {
    const { app } = await startHostOn(each);
    app.handle(([what]) => (what === 'later' ? Promise.resolve('late') : what === 'nothing' ? undefined : what));
    const results = ['now', 'later', 'nothing'].map((what) => launchWaiting(app, each, { args: [what] }).result);
    expect(await Promise.all(results)).toMatchObject([
      { reply: 'now', exitCode: 0 },
      { reply: 'late', exitCode: 0 },
      { exitCode: 0 },
    ]);
    expect(await results[2]).not.toHaveProperty('reply');
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('boom');
      },
    ],
    ['rejects', () => Promise.reject(new Error('boom'))],
  ])('fails the launch, with a warning, if the handler %s, and the next one is answered', async (_, fail) => {
    const { app, warnings } = await startHostOn(each);
    app.handle(([what]) => (what === 'fail' ? fail() : 'ok'));
    expect(await launchWaiting(app, each, { args: ['fail'] }).result).toMatchObject({
      code: 'ERR_SINGLETON_LISTENER_FAILED',
    });
    expect(await launchWaiting(app, each, { args: ['go'] }).result).toMatchObject({ reply: 'ok' });
    expect(warnings).toMatchObject([{ code: 'ERR_SINGLETON_LISTENER_FAILED', cause: { message: 'boom' } }]);
  });
});

describe('handle', () => {
  it('gets launches without arguments, which `args` listeners do not get unless they wait', async () => {
    const app = await startHost();
    const [handled, listened]: [unknown[], unknown[]] = [[], []];
    app.on('args', (args) => listened.push(args));
    app.handle((args, { number }) => void handled.push([number, ...args]));
    await launch(app, []);
    await launch(app, ['a']);
    expect(handled).toEqual([[1], [2, 'a']]);
    expect(listened).toEqual([['a']]);
  });

  it('works on as many launches as it may, and takes the others in order of their arrival', async () => {
    const { app } = await startHostOn(wire);
    const begun: string[] = [];
    const ends: (() => void)[] = [];
    let [active, most] = [0, 0];
    app.handle(
      async ([name = '']) => {
        begun.push(name);
        most = Math.max(most, ++active);
        await new Promise<void>((resolve) => ends.push(resolve));
        active -= 1;
        return name;
      },
      { concurrency: 2 },
    );
    const results: Promise<unknown>[] = [];
    for (const name of ['a', 'b', 'c', 'd', 'e']) {
      results.push(launchWaiting(app, wire, { args: [name] }).result);
      while (app.clients < results.length) await turn();
    }
    expect(begun).toEqual(['a', 'b']);
    expect(app.arguments).toEqual([['c'], ['d'], ['e']]);
    for (let done = 0; done < 5;) {
      const end = ends.shift();
      end?.();
      if (end) done += 1;
      await turn();
    }
    expect(await Promise.all(results)).toMatchObject(['a', 'b', 'c', 'd', 'e'].map((reply) => ({ reply })));
    expect(begun).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(most).toBe(2);
  });

  it('answers at once, although a listener beside it is at work', async () => {
    const { app } = await startHostOn(wire);
    app.on('args', () => new Promise(() => {}));
    app.handle(() => 'answered');
    expect(await launchWaiting(app, wire).result).toMatchObject({ reply: 'answered' });
  });

  it('fails at once, although a listener beside it is at work', async () => {
    const { app } = await startHostOn(wire);
    app.on('args', () => new Promise(() => {}));
    app.handle(() => Promise.reject(new Error('boom')));
    expect(await launchWaiting(app, wire).result).toMatchObject({ code: 'ERR_SINGLETON_LISTENER_FAILED' });
  });

  it('has set its result before it returns, if it wants another than its return value', async () => {
    const { app, warnings } = await startHostOn(wire);
    app.handle((_, client) => {
      client.stdout.write('out');
      client.exit(3);
    });
    const { result, stdout } = launchWaiting(app, wire);
    expect(await result).toMatchObject({ exitCode: 3 });
    expect(await stdout).toBe('out');
    expect(warnings).toEqual([]);
  });

  it('fails the launch if its value cannot be sent', async () => {
    const { app, warnings } = await startHostOn(wire);
    app.handle(() => () => {});
    expect(await launchWaiting(app, wire).result).toMatchObject({ code: 'ERR_SINGLETON_LISTENER_FAILED' });
    expect(warnings).toMatchObject([{ code: 'ERR_SINGLETON_LISTENER_FAILED' }]);
  });

  it('ignores what it returns for a launch that does not wait, or whose client has disconnected', async () => {
    const { app, warnings } = await startHostOn(wire);
    const aborted: unknown[] = [];
    app.handle(async (_, client) => {
      if (!client.waiting) return 'not sent';
      await new Promise<void>((resolve) => client.signal.addEventListener('abort', () => resolve(), { once: true }));
      aborted.push(client.number);
      return 'too late';
    });
    await launchWaiting(app, wire, { wait: false }).result;
    const { result, abort } = launchWaiting(app, wire);
    while (app.clients < 2) await turn();
    abort();
    await expect(result).resolves.toMatchObject({ code: 'ERR_SINGLETON_RELEASED' });
    while (aborted.length === 0) await turn();
    await turn();
    expect([aborted, warnings]).toEqual([[2], []]);
  });

  it('takes what arrived before there was a handler', async () => {
    const app = await startHost();
    await launch(app, ['early']);
    const handled: unknown[] = [];
    app.handle((args) => void handled.push(args));
    while (handled.length === 0) await turn();
    expect(handled).toEqual([['early']]);
  });

  it('may be called before acquire(), and again after removeHandler()', async () => {
    const app = new Singleton({ port: 0 });
    const handled: string[] = [];
    app.handle(() => void handled.push('first'));
    await app.acquire();
    await launch(app, ['a']);
    app.removeHandler().handle(() => void handled.push('second'));
    await launch(app, ['b']);
    expect(handled).toEqual(['first', 'second']);
    await app.release();
  });

  it.each([
    ['a second handler', () => new Singleton().handle(() => {}).handle(() => {})],
    // @ts-expect-error the handler is a function
    ['a handler that is no function', () => new Singleton().handle('work')],
    ['a concurrency of 0', () => new Singleton().handle(() => {}, { concurrency: 0 })],
    ['a concurrency of 1.5', () => new Singleton().handle(() => {}, { concurrency: 1.5 })],
    ['an unknown option', () => new Singleton().handle(() => {}, Object.assign({ concurrency: 1 }, { limit: 1 }))],
  ])('refuses %s', (_, act) => {
    expect(act).toThrow(expect.objectContaining({ code: 'ERR_SINGLETON_INVALID_OPTION' }));
  });

  it('answers what waits when the host is released, up to a second', async () => {
    const { app } = await startHostOn(wire);
    const ends: (() => void)[] = [];
    app.handle(([name]) => new Promise((resolve) => ends.push(() => resolve(name))), { concurrency: 1 });
    const results = ['a', 'b'].map((name) => launchWaiting(app, wire, { args: [name] }).result);
    while (app.clients < 2) await turn();
    const released = app.release();
    for (let done = 0; done < 2;) {
      const end = ends.shift();
      end?.();
      if (end) done += 1;
      await turn();
    }
    const replies = await Promise.all(results);
    expect(replies).toHaveLength(2);
    expect(new Set(replies.map((each) => Object(each).reply))).toEqual(new Set(['a', 'b']));
    await released;
  });
});
