import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, readdirSync, renameSync, rmSync, statSync, unlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Singleton, SingletonError } from '../../src/index.ts';
import { pipe } from '../../src/transports/pipe.ts';
import { fixture, launch, type Program, run, waitUntil } from '../helpers/program.ts';
import { socketFolder } from '../helpers/socket-folder.ts';

// Windows itself removes a named pipe and decides when it is lost.
describe.skipIf(process.platform === 'win32')('a program with a path', () => {
  test.each(['legacy', 'json', 'msgpack'] as const)(
    'delivers by %s, and probes without an event with client: false',
    async (codec) => {
      const config = { pipe: join(socketFolder(), 'app.sock'), ...(codec !== 'legacy' && { codec }) };
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

  test('becomes host again after it was killed, also with client: false', async () => {
    const path = join(socketFolder(), 'app.sock');
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

  test('releases as lost when its socket was replaced, exits, and does not remove the successor', async () => {
    const path = join(socketFolder(), 'app.sock');
    const host = launch({ options: {}, pipe: path });
    await host.line('host');
    const successor = createServer().listen(`${path}2`);
    onTestFinished(() => void successor.close());
    await once(successor, 'listening');
    renameSync(`${path}2`, path);
    const { ino } = statSync(path);
    expect(await host.line('release')).toMatchObject({ reason: 'lost' });
    expect((await host.exited()).code).toBe(0);
    expect(statSync(path).ino).toBe(ino);
  });

  test('keeps its endpoint when its socket was removed', async () => {
    const path = join(socketFolder(), 'app.sock');
    const host = launch({ options: {}, pipe: path });
    await host.line('host');
    const { ino } = statSync(path);
    unlinkSync(path);
    await waitUntil('a new socket', async () => (statSync(path, { throwIfNoEntry: false })?.ino ?? ino) !== ino);
    expect((await launch({ options: {}, pipe: path }, 'after').exited()).code).toBe(0);
    expect(await host.line('args')).toMatchObject({ args: ['after'] });
    expect(host.all('release')).toEqual([]);
  });

  test('keeps its endpoint when it is frozen: 700 launches reject with HOST_UNRESPONSIVE', async () => {
    const path = join(socketFolder(), 'app.sock');
    const host = launch({ options: {}, pipe: path });
    await host.line('host');
    await host.freeze();
    const deliveryTimeout = 1500;
    // Half of them acquire: none may become host. They share this process, whose sockets are as many as theirs would be.
    const outcomes = await Promise.all(
      Array.from({ length: 700 }, async (_, index) => {
        const options = { transport: pipe({ path }), args: [`launch ${index}`], deliveryTimeout };
        return index % 2 === 0
          ? codeOf(Singleton.send(options))
          : codeOf(Singleton.acquire({ ...options, strict: false }));
      }),
    );
    expect(new Set(outcomes)).toEqual(new Set(['ERR_SINGLETON_HOST_UNRESPONSIVE']));
    // The queue is full of those that gave up: a probe finds no room, and tries again.
    const look = { transport: pipe({ path }), args: [], client: false, strict: false };
    expect(await codeOf(Singleton.acquire(look))).toBe('ERR_SINGLETON_ALREADY_RUNNING');
    host.signal('SIGCONT');
    expect((await launch({ options: {}, pipe: path }, 'after').exited()).code).toBe(0);
    // They gave up, so that none of them is run.
    expect(host.all('args').map(({ args }) => args)).toEqual([['after']]);
    expect(readdirSync(join(path, '..'))).toEqual(['app.sock']);
  });
});

describe.skipIf(process.platform === 'win32')('a program with a name', () => {
  test('has one host for a session, cron and sudo, whatever their environment', async () => {
    const name = `test-${randomUUID()}`;
    onTestFinished(() => rmSync(`/tmp/${name}-${process.geteuid?.()}`, { recursive: true, force: true }));
    const start = (env: NodeJS.ProcessEnv, ...args: readonly string[]): Program =>
      run(process.execPath, [fixture('app.js'), ...args], {
        APP: JSON.stringify({ options: {}, pipe: { name } }),
        XDG_RUNTIME_DIR: undefined,
        TMPDIR: undefined,
        ...env,
      });
    const host = start({ XDG_RUNTIME_DIR: socketFolder() });
    await host.line('host');
    const wslg = socketFolder();
    chmodSync(wslg, 0o777);
    const environments = {
      cron: { HOME: undefined, USER: undefined, LOGNAME: undefined },
      'another temporary directory': { TMPDIR: socketFolder() },
      'a deep temporary directory': { TMPDIR: join(socketFolder(), 'deep/'.repeat(40)) },
      'no runtime directory': { XDG_RUNTIME_DIR: '/run/user/missing' },
      WSLg: { XDG_RUNTIME_DIR: wslg },
    };
    for (const [environment, env] of Object.entries(environments)) {
      expect(await start(env, environment).exited()).toEqual({ code: 0, signal: null });
    }
    expect(host.all('args').map(({ args }) => args)).toEqual(Object.keys(environments).map((each) => [each]));
  });
});

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'resolved',
    (error: unknown) => (error instanceof SingletonError ? error.code : String(error)),
  );
}
