import { once } from 'node:events';
import { readdirSync, statSync, unlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Singleton, SingletonError } from '../../src/index.ts';
import { pipe } from '../../src/transports/pipe.ts';
import { launch } from '../helpers/program.ts';
import { folder } from '../helpers/socket-folder.ts';

// What a named pipe leaves behind, and when it is lost, is the system's affair there.
describe.skipIf(process.platform === 'win32')('a program at a path', () => {
  test.each(['legacy', 'json', 'msgpack'] as const)(
    'hands over by %s, and knocks unheard with client: false',
    async (codec) => {
      const config = { pipe: join(folder(), 'app.sock'), ...(codec !== 'legacy' && { codec }) };
      const host = launch({ options: {}, ...config });
      expect(await host.line('host')).toMatchObject({ endpoint: `unix://${config.pipe}` });
      const args = ['a', '', 'ü 🚀'];
      expect(await launch({ options: {}, ...config }, ...args).exited()).toEqual({ code: 0, signal: null });
      expect(await launch({ options: { client: false }, ...config }, 'no').exited()).toEqual({ code: 0, signal: null });
      expect(await launch({ options: {}, ...config, steps: ['send'] }, 'last').line('sent')).toMatchObject({
        outcome: codec === 'legacy' ? 'unconfirmed' : 'delivered',
      });
      expect(host.all('args').map((line) => line['args'])).toEqual([args, ['last']]);
      expect(host.all('warning')).toEqual([]);
      host.signal('SIGTERM');
      await host.exited();
    },
  );

  test('is host again after it was killed, with client: false too', async () => {
    const path = join(folder(), 'app.sock');
    for (const client of [true, false, true]) {
      const host = launch({ options: { client }, pipe: path });
      await host.line('host');
      await host.kill();
      expect(readdirSync(join(path, '..'))).toEqual(['app.sock']);
    }
    const last = launch({ options: {}, pipe: path, steps: ['acquire', 'release'] });
    expect(await last.line('release')).toMatchObject({ reason: 'manual' });
    expect((await last.exited()).code).toBe(0);
    expect(readdirSync(join(path, '..'))).toEqual([]);
  });

  test('whose socket was replaced is told so, ends, and leaves the successor’s alone', async () => {
    const path = join(folder(), 'app.sock');
    const host = launch({ options: {}, pipe: path });
    await host.line('host');
    unlinkSync(path);
    const successor = createServer().listen(path);
    onTestFinished(() => void successor.close());
    await once(successor, 'listening');
    const { ino } = statSync(path);
    expect(await host.line('release')).toMatchObject({ reason: 'lost' });
    expect((await host.exited()).code).toBe(0);
    expect(statSync(path).ino).toBe(ino);
  });

  test('that is frozen keeps its endpoint: 700 launches end by their deadline in a typed error', async () => {
    const path = join(folder(), 'app.sock');
    const host = launch({ options: {}, pipe: path });
    await host.line('host');
    await host.freeze();
    const deliveryTimeout = 1500;
    const start = performance.now();
    // Half of them claim: none may become host. They share this process, whose sockets are as many as theirs would be.
    const outcomes = await Promise.all(
      Array.from({ length: 700 }, async (_, index) => {
        const options = { transport: pipe({ path }), args: [`launch ${index}`], deliveryTimeout };
        return index % 2 === 0
          ? codeOf(Singleton.send(options))
          : codeOf(Singleton.acquire({ ...options, strict: false }));
      }),
    );
    const elapsed = performance.now() - start;
    expect(new Set(outcomes)).toEqual(new Set(['ERR_SINGLETON_HOST_UNRESPONSIVE']));
    expect(elapsed).toBeGreaterThan(deliveryTimeout - 100);
    expect(elapsed).toBeLessThan(deliveryTimeout + 4000);
    // The queue is full of those that gave up: who looks whether somebody is there is told to try again.
    const look = { transport: pipe({ path }), args: [], client: false, strict: false };
    expect(await codeOf(Singleton.acquire(look))).toBe('ERR_SINGLETON_ALREADY_RUNNING');
    host.signal('SIGCONT');
    expect((await launch({ options: {}, pipe: path }, 'after').exited()).code).toBe(0);
    // They gave up, so that none of them is run.
    expect(host.all('args').map(({ args }) => args)).toEqual([['after']]);
    expect(readdirSync(join(path, '..'))).toEqual(['app.sock']);
  });
});

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'resolved',
    (error: unknown) => (error instanceof SingletonError ? error.code : String(error)),
  );
}
