import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { json } from '../../src/codecs/json.ts';
import { type Receipt, type SendOptions, Singleton, type StartOptions } from '../../src/index.ts';
import { fixture, freePort, inheritedEnv } from '../helpers/program.ts';

type Strings = readonly string[];
interface Reply {
  readonly pid: number;
  readonly args: Strings;
  readonly variable?: string;
}

const codec = json<Strings, Reply>();
/** The hosts that were started. They outlive what started them. */
const hosts = new Set<number>();

afterEach(() => {
  for (const pid of hosts) kill(pid);
  hosts.clear();
});

function notNeeded(): never {
  throw new Error('not needed');
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}

function daemon(port: number, ...mode: Strings): StartOptions {
  const env = { ...inheritedEnv(), STARTED_BY: 'a test' };
  return { command: process.execPath, args: [fixture('daemon.js'), String(port), ...mode], env };
}

async function send(port: number, options: Partial<SendOptions<Strings, Reply>>): Promise<Receipt<Reply>> {
  const receipt = await Singleton.send({ port, codec, args: ['a'], wait: true, deliveryTimeout: 60_000, ...options });
  const { pid = process.pid } = receipt.reply ?? {};
  if (pid !== process.pid) hosts.add(pid);
  return receipt;
}

describe('Singleton.send() with start', () => {
  it('starts the host, delivers to it, and the next launch finds it', async () => {
    const port = await freePort();
    const first = await send(port, { start: daemon(port) });
    expect(first.reply).toEqual({ pid: first.host?.pid, args: ['a'], variable: 'a test' });
    expect(first.host?.pid).not.toBe(process.pid);
    const second = await send(port, { start: daemon(port) });
    expect(second.reply?.pid).toBe(first.reply?.pid);
    expect([first.client, second.client]).toEqual([1, 2]);
  });

  it('starts one host for many launches at once, and again after it was killed', async () => {
    const port = await freePort();
    for (let round = 0; round < 2; round += 1) {
      const sends = Array.from({ length: 10 }, (_, n) => send(port, { args: [String(n)], start: daemon(port) }));
      const receipts = await Promise.all(sends);
      const pids = new Set(receipts.map(({ reply }) => reply?.pid));
      expect(pids.size).toBe(1);
      expect(receipts.map(({ reply }) => reply?.args)).toEqual(Array.from({ length: 10 }, (_, n) => [String(n)]));
      const [pid = 0] = pids;
      kill(pid);
      while (await Singleton.status({ port, codec }).catch(() => true));
    }
  });

  it('delivers to a host that the command starts as another process', async () => {
    const port = await freePort();
    const { reply } = await send(port, { start: daemon(port, 'fork') });
    expect(reply?.args).toEqual(['a']);
  });

  it('rejects with the status and the end of stderr if the host ends before it listens', async () => {
    const port = await freePort();
    await expect(send(port, { start: daemon(port, 'fail') })).rejects.toMatchObject({
      code: 'ERR_SINGLETON_START_FAILED',
      message: `The host at tcp://127.0.0.1:${port} could not be started: it ended with status 3, and its stderr ends with: no such configuration. Nothing was delivered.`,
    });
  });

  it('rejects if there is no such command', async () => {
    const port = await freePort();
    await expect(send(port, { start: { command: '/no/such/command' } })).rejects.toMatchObject({
      code: 'ERR_SINGLETON_START_FAILED',
      message: expect.stringContaining('ENOENT'),
    });
  });

  it('rejects if the host does not listen in time, and leaves it running', async () => {
    const port = await freePort();
    let child: ChildProcess | undefined;
    const start = (): ChildProcess => {
      child = spawn(process.execPath, [fixture('daemon.js'), String(port), 'hang'], { stdio: 'ignore' });
      return child;
    };
    onTestFinished(() => void child?.kill('SIGKILL'));
    await expect(send(port, { start, deliveryTimeout: 200 })).rejects.toMatchObject({
      code: 'ERR_SINGLETON_START_FAILED',
      message: expect.stringMatching(/within 200 ms \(deliveryTimeout\): it is still running as process \d+\./),
    });
    expect([child?.exitCode, child?.signalCode]).toEqual([null, null]);
  });

  it('starts nothing if a host is there, and rejects with NO_HOST without it', async () => {
    const app = await Singleton.acquire({ port: 0, codec, args: [] });
    onTestFinished(() => app.release());
    app.handle((args) => ({ pid: process.pid, args }));
    const port = Number(new URL(app.endpoint).port);
    expect((await send(port, { start: notNeeded })).reply?.args).toEqual(['a']);
    await app.release();
    await expect(send(port, {})).rejects.toMatchObject({ code: 'ERR_SINGLETON_NO_HOST' });
  });
});

describe('Singleton.send() with a function as start', () => {
  it('has the end of its stderr if that is a pipe', async () => {
    const port = await freePort();
    const start = (): ChildProcess => spawn(process.execPath, [fixture('daemon.js'), String(port), 'fail']);
    await expect(send(port, { start })).rejects.toMatchObject({
      code: 'ERR_SINGLETON_START_FAILED',
      message: expect.stringContaining('it ended with status 3, and its stderr ends with: no such configuration'),
    });
  });

  it('leaves no listener on the process after the delivery', async () => {
    const port = await freePort();
    const children: ChildProcess[] = [];
    const start = (): ChildProcess => {
      const child = spawn(process.execPath, [fixture('daemon.js'), String(port)]);
      children.push(child);
      return child;
    };
    await send(port, { start });
    const [child] = children;
    expect(children.length).toBe(1);
    expect([child?.listenerCount('exit'), child?.stderr?.listenerCount('data')]).toEqual([0, 0]);
    child?.kill('SIGKILL');
    if (child) await once(child, 'exit');
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('on purpose');
      },
      'ERR_SINGLETON_START_FAILED',
      'the function threw',
    ],
    ['returns no process', () => ({}), 'ERR_SINGLETON_INVALID_OPTION', 'a function that returns a ChildProcess'],
  ])('rejects if it %s', async (_, start: () => any, code, message) => {
    const port = await freePort();
    const rejection = { code, message: expect.stringContaining(message) };
    await expect(send(port, { start })).rejects.toMatchObject(rejection);
  });
});

describe('the option start', () => {
  it.each<[unknown, string]>([
    ['node', 'Option "start": expected an object with a command, or a function'],
    [{}, 'Option "start.command": expected a non-empty string'],
    [{ command: 'node', arguments: [] }, 'Option "arguments" is unknown'],
    [{ command: 'node', args: 'a' }, 'Option "start.args": expected an array of strings'],
    [{ command: 'node', env: 'A=1' }, 'Option "start.env": expected an object'],
    [{ command: 'node', cwd: 1 }, 'Option "start.cwd": expected a string or a URL'],
  ])('is refused if it is %o', async (start: any, message) => {
    await expect(Singleton.send({ args: [], codec, start })).rejects.toThrow(message);
  });

  it('is an option of send() only', () => {
    const options: object = { start: { command: 'node' } };
    expect(() => new Singleton(options)).toThrow('Option "start" is unknown');
  });
});
