import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { VerifyFailure } from '../../src/index.ts';
import { recordEvents, launch, sendBytes, startHost } from '../helpers/host.ts';

describe('a launch', () => {
  it('increments app.clients, then causes a client event, then an args event', async () => {
    const app = await startHost();
    const heard = recordEvents(app);
    expect(await launch(app, ['a', 'b'])).toEqual({ outcome: 'unconfirmed' });
    expect(heard.order).toEqual(['client', 'args']);
    expect(heard.args).toEqual([['a', 'b']]);
    expect(app.clients).toBe(1);
  });

  it('causes only a client event if it has no arguments', async () => {
    const app = await startHost();
    const heard = recordEvents(app);
    await launch(app, []);
    expect(heard.order).toEqual(['client']);
    expect(app.clients).toBe(1);
  });

  it('has the same client in both events', async () => {
    const app = await startHost();
    const clients: unknown[] = [];
    app.on('client', (client) => clients.push(client));
    app.on('args', (_, client) => clients.push(client));
    await launch(app, ['a']);
    expect(clients).toHaveLength(2);
    expect(clients[0]).toBe(clients[1]);
  });

  it('has a frozen client with a number and an address, and nothing that the wire does not send', async () => {
    const app = await startHost();
    const { clients } = recordEvents(app);
    await launch(app, ['a']);
    await launch(app, []);
    const unknown = { cwd: undefined, pid: undefined, version: undefined, env: {} };
    const rest = { ...unknown, remoteAddress: '127.0.0.1', codec: 'legacy' };
    expect(clients.map((client) => ({ ...client }))).toEqual([
      { number: 1, self: false, ...rest },
      { number: 2, self: false, ...rest },
    ]);
    expect(clients.map(({ waiting }) => waiting)).toEqual([false, false]);
    expect(clients.every((client) => Object.isFrozen(client))).toBe(true);
  });

  it('increments app.clients before its events', async () => {
    const app = await startHost();
    const counts: number[] = [];
    app.on('client', () => counts.push(app.clients));
    app.on('args', () => counts.push(app.clients));
    await launch(app, ['a']);
    expect(counts).toEqual([1, 1]);
  });

  it.each([
    ['with an empty argument among others', ['', 'a', '']],
    ['with every plane of Unicode', ['é', '日本', '😀', '\u0001', ' \n\t']],
    ['longer than the Python host reads', Array.from({ length: 5 }, (_, i) => String(i).repeat(1000))],
    ['of a hundred thousand bytes', ['x'.repeat(100_000)]],
  ])('arrives exactly with an argument %s', async (_, args) => {
    const app = await startHost();
    const heard = recordEvents(app);
    await launch(app, args);
    expect(heard.args).toEqual([args]);
  });

  it('arrives in any number of chunks', async () => {
    const app = await startHost();
    const heard = recordEvents(app);
    expect(await sendBytes(app, 'a\0b\0')).toBe('end');
    expect(heard.args).toEqual([['a', 'b']]);
  });

  it('arrives once among many simultaneous ones, each with its own number', async () => {
    const app = await startHost();
    const heard = recordEvents(app);
    const names = Array.from({ length: 20 }, (_, i) => `launch ${i}`);
    await Promise.all(names.map((name) => launch(app, [name])));
    expect(heard.args.flat().toSorted()).toEqual(names.toSorted());
    expect(heard.clients.map(({ number }) => number)).toEqual(names.map((_, i) => i + 1));
  });
});

describe('a secret', () => {
  it('lets a launch pass if it is the same on both sides, and is no part of the arguments', async () => {
    const app = await startHost({ secret: 'sésame' });
    const heard = recordEvents(app);
    await launch(app, ['a'], { secret: new TextEncoder().encode('sésame') });
    expect(heard.args).toEqual([['a']]);
  });

  it('lets a launch without arguments pass', async () => {
    const app = await startHost({ secret: 'sesame' });
    const heard = recordEvents(app);
    await launch(app, [], { secret: 'sesame' });
    expect(heard.order).toEqual(['client']);
  });

  it.each([
    ['wrong', 'sesamee\0a\0', 'wrong-secret'],
    ['in another case', 'Sesame\0a\0', 'wrong-secret'],
    ['an argument', 'a\0sesame\0', 'wrong-secret'],
    ['empty', '\0a\0', 'wrong-secret'],
    ['missing', '\0', 'missing-secret'],
  ])('causes verifyFailed, without any byte of the message, when it is %s', async (_, bytes, reason) => {
    const app = await startHost({ secret: 'sesame' });
    const failures: VerifyFailure[] = [];
    app.on('verifyFailed', (failure) => failures.push(failure));
    const time = new Date('2020-02-02T20:20:20.202Z');
    vi.useFakeTimers({ toFake: ['Date'], now: time });
    onTestFinished(() => void vi.useRealTimers());
    await sendBytes(app, bytes);
    expect(failures).toEqual([{ reason, remoteAddress: '127.0.0.1', time, count: 1, suppressed: 0 }]);
  });

  it('prevents a launch from being counted, dispatched or the cause of a release when it is wrong', async () => {
    const app = await startHost({ secret: 'sesame', releaseThreshold: 1 });
    const heard = recordEvents(app);
    await launch(app, ['a'], { secret: 'guess' });
    await launch(app, ['a']);
    expect(heard.order).toEqual(['verifyFailed', 'verifyFailed']);
    expect(app).toMatchObject({ clients: 0, listening: true });
  });
});
