import { describe, expect, it } from 'vitest';
import type { VerifyFailure } from '../../src/index.ts';
import { hear, launch, speak, startHost } from '../helpers/host.ts';

describe('a launch', () => {
  it('is counted and told as client, then as args', async () => {
    const app = await startHost();
    const heard = hear(app);
    expect(await launch(app, ['a', 'b'])).toEqual({ outcome: 'unconfirmed' });
    expect(heard.order).toEqual(['client', 'args']);
    expect(heard.args).toEqual([['a', 'b']]);
    expect(app.clients).toBe(1);
  });

  it('without arguments is told as client only', async () => {
    const app = await startHost();
    const heard = hear(app);
    await launch(app, []);
    expect(heard.order).toEqual(['client']);
    expect(app.clients).toBe(1);
  });

  it('is told with the same client in both events', async () => {
    const app = await startHost();
    const clients: unknown[] = [];
    app.on('client', (client) => clients.push(client));
    app.on('args', (_, client) => clients.push(client));
    await launch(app, ['a']);
    expect(clients).toHaveLength(2);
    expect(clients[0]).toBe(clients[1]);
  });

  it('is told with a frozen client that has a number and an address, and nothing that the wire cannot tell', async () => {
    const app = await startHost();
    const { clients } = hear(app);
    await launch(app, ['a']);
    await launch(app, []);
    const rest = { cwd: undefined, pid: undefined, remoteAddress: '127.0.0.1', waiting: false };
    expect(clients).toEqual([
      { number: 1, ...rest },
      { number: 2, ...rest },
    ]);
    expect(clients.every((client) => Object.isFrozen(client))).toBe(true);
  });

  it('is counted before its events', async () => {
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
  ])('%s arrives exactly', async (_, args) => {
    const app = await startHost();
    const heard = hear(app);
    await launch(app, args);
    expect(heard.args).toEqual([args]);
  });

  it('arrives in however many pieces it comes', async () => {
    const app = await startHost();
    const heard = hear(app);
    expect(await speak(app, 'a\0b\0')).toBe('end');
    expect(heard.args).toEqual([['a', 'b']]);
  });

  it('arrives once among many at the same time, each with a number of its own', async () => {
    const app = await startHost();
    const heard = hear(app);
    const names = Array.from({ length: 20 }, (_, i) => `launch ${i}`);
    await Promise.all(names.map((name) => launch(app, [name])));
    expect(heard.args.flat().toSorted()).toEqual(names.toSorted());
    expect(heard.clients.map(({ number }) => number)).toEqual(names.map((_, i) => i + 1));
  });
});

describe('a secret', () => {
  it('that is the same on both sides lets the arguments in, without itself', async () => {
    const app = await startHost({ secret: 'sésame' });
    const heard = hear(app);
    await launch(app, ['a'], { secret: new TextEncoder().encode('sésame') });
    expect(heard.args).toEqual([['a']]);
  });

  it('lets a launch without arguments in', async () => {
    const app = await startHost({ secret: 'sesame' });
    const heard = hear(app);
    await launch(app, [], { secret: 'sesame' });
    expect(heard.order).toEqual(['client']);
  });

  it.each([
    ['wrong', 'sesamee\0a\0', 'wrong-secret'],
    ['in another case', 'Sesame\0a\0', 'wrong-secret'],
    ['an argument', 'a\0sesame\0', 'wrong-secret'],
    ['empty', '\0a\0', 'wrong-secret'],
    ['missing', '\0', 'missing-secret'],
  ])('that is %s is told as verifyFailed, with nothing of what came', async (_, bytes, reason) => {
    const app = await startHost({ secret: 'sesame' });
    const failures: VerifyFailure[] = [];
    app.on('verifyFailed', (failure) => failures.push(failure));
    const before = Date.now();
    await speak(app, bytes);
    expect(failures).toEqual([{ reason, remoteAddress: '127.0.0.1', time: expect.any(Date) }]);
    expect(failures[0]?.time.getTime()).toBeGreaterThanOrEqual(before);
    expect(failures[0]?.time.getTime()).toBeLessThanOrEqual(Date.now());
  });

  it('that is wrong neither counts, nor publishes, nor releases', async () => {
    const app = await startHost({ secret: 'sesame', releaseThreshold: 1 });
    const heard = hear(app);
    await launch(app, ['a'], { secret: 'guess' });
    await launch(app, ['a']);
    expect(heard.order).toEqual(['verifyFailed', 'verifyFailed']);
    expect(app).toMatchObject({ clients: 0, listening: true });
  });
});
