import { once } from 'node:events';
import { Socket } from 'node:net';
import { PassThrough, Writable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Client } from '../../src/index.ts';
import { aborted, startHostOn, launchWaiting, nextClient, wires } from '../helpers/answer.ts';
import { uncaughtErrorsOf } from '../helpers/uncaught.ts';

describe.each(wires)('a waiting launch over $name', (wire) => {
  it('receives the reply, with status 0', async () => {
    const { app } = await startHostOn(wire);
    app.on('args', (args, client) => client.reply({ opened: args }));
    const { result } = launchWaiting(app, wire, { args: ['a', 'b'] });
    expect(await result).toMatchObject({ outcome: 'delivered', client: 1, reply: { opened: ['a', 'b'] }, exitCode: 0 });
  });

  it('receives every status from 0 to 255, and 0 by default', async () => {
    const { app } = await startHostOn(wire);
    app.on('args', ([code], client) => client.exit(code === 'none' ? undefined : Number(code)));
    const codes = Array.from({ length: 256 }, (_, code) => code);
    const results = await Promise.all(codes.map((code) => launchWaiting(app, wire, { args: [`${code}`] }).result));
    expect(results).toMatchObject(codes.map((exitCode) => ({ exitCode })));
    for (const result of results) expect(result).not.toHaveProperty('reply');
    expect(await launchWaiting(app, wire, { args: ['none'] }).result).toMatchObject({ exitCode: 0 });
  });

  it('receives the output of the host in order and before the result, although all was sent at once', async () => {
    const { app } = await startHostOn(wire);
    app.on('client', (client) => client.stdout.write('first\n'));
    app.on('args', (_, client) => {
      client.stderr.write('aside\n');
      client.stdout.write('');
      client.stdout.write('last\n');
      client.exit(3);
    });
    const { result, stdout, stderr } = launchWaiting(app, wire);
    expect(await result).toMatchObject({ exitCode: 3 });
    expect(await stdout).toBe('first\nlast\n');
    expect(await stderr).toBe('aside\n');
  });

  it("may get its result from an 'exit' listener that exists when it, or a later launch, is dispatched", async () => {
    const { app } = await startHostOn(wire);
    const [first, second] = [vi.fn<() => void>(), vi.fn<() => void>()];
    onTestFinished(() => void process.off('exit', first).off('exit', second));
    const last: unknown[] = [];
    const answers: (() => void)[] = [];
    app.on('args', (_, client) => {
      last.push(process.listeners('exit').at(-1));
      if (!client.waiting) return undefined;
      return new Promise<void>((resolve) => answers.push(resolve));
    });
    process.on('exit', first);
    const { result } = launchWaiting(app, wire);
    await once(app, 'args');
    process.on('exit', second);
    await launchWaiting(app, wire, { wait: false }).result;
    for (const answer of answers) answer();
    await result;
    expect(last).toHaveLength(2);
    expect(last[0]).not.toBe(first);
    expect(last[1]).not.toBe(second);
  });

  it('has waiting: true at the host, and one that does not wait has false', async () => {
    const { app } = await startHostOn(wire);
    const waiting: boolean[] = [];
    app.on('client', (client) => void waiting.push(client.waiting)).on('args', () => {});
    await launchWaiting(app, wire, { args: [] }).result;
    await launchWaiting(app, wire, { args: [], wait: false }).result;
    expect(waiting).toEqual([true, false]);
  });

  it('sends its stdin, and its end, when it is read', async () => {
    const { app } = await startHostOn(wire);
    app.on('args', async (_, client) => {
      let text = '';
      for await (const chunk of client.stdin.setEncoding('utf8')) text += chunk;
      client.reply(text);
    });
    expect(await launchWaiting(app, wire, { stdin: 'a\0é' }).result).toMatchObject({ reply: 'a\0é' });
    expect(await launchWaiting(app, wire, { stdin: '' }).result).toMatchObject({ reply: '' });
  });

  it('receives only the first result; later ones return false', async () => {
    const { app } = await startHostOn(wire);
    const results: boolean[] = [];
    app.on('args', (_, client) => results.push(client.exit(4), client.reply('x'), client.exit(5)));
    app.on('args', (_, client) => results.push(client.reply('y')));
    expect(await launchWaiting(app, wire).result).toMatchObject({ exitCode: 4 });
    expect(results).toEqual([true, false, false, false]);
  });

  it('receives the result at once although a listener has not settled', async () => {
    const { app } = await startHostOn(wire);
    app.on('args', (_, client) => {
      client.reply('soon');
      return new Promise(() => {});
    });
    expect(await launchWaiting(app, wire).result).toMatchObject({ reply: 'soon' });
  });

  it('aborts its signal and destroys its streams, without an error, when it disconnects', async () => {
    const { app, warnings } = await startHostOn(wire);
    const coming = nextClient(app);
    const { result, abort } = launchWaiting(app, wire, { args: ['work'] });
    const client = await coming;
    const reading = client.stdin.toArray();
    abort();
    await aborted(client.signal);
    expect(await result).toMatchObject({ code: 'ERR_SINGLETON_RELEASED' });
    await expect(reading).rejects.toMatchObject({ code: 'ERR_SINGLETON_CONNECTION_FAILED' });
    expect(client.signal.reason).toMatchObject({ code: 'ERR_SINGLETON_CONNECTION_FAILED' });
    expect([client.stdout.destroyed, client.stderr.destroyed, client.stdin.destroyed]).toEqual([true, true, true]);
    expect([client.reply('x'), client.exit(0), client.stdout.write('x')]).toEqual([false, false, false]);
    await turn();
    expect(warnings).toEqual([]);
  });
});

describe('a host with waiting clients', () => {
  it('emits a warning and no unhandled rejection when the listener of a disconnected client rejects', async () => {
    const { app, warnings } = await startHostOn(wires[0]);
    const working = once(app, 'client');
    app.on('args', async (_, client) => client.stdin.toArray());
    const { abort } = launchWaiting(app, wires[0], { stdin: new PassThrough() });
    const unhandled: unknown[] = [];
    const onUnhandled = (reason: unknown): void => void unhandled.push(reason);
    process.on('unhandledRejection', onUnhandled);
    await working;
    await turn();
    const warned = once(app, 'warning');
    abort();
    await warned;
    await turn();
    process.off('unhandledRejection', onUnhandled);
    expect(unhandled).toEqual([]);
    expect(warnings).toMatchObject([
      { code: 'ERR_SINGLETON_LISTENER_FAILED', cause: { code: 'ERR_SINGLETON_CONNECTION_FAILED' } },
    ]);
  });
});

describe.each(wires)('a waiting launch whose listeners set no result, over $name', (wire) => {
  it('exits with 0 when the listener has returned', async () => {
    const { app } = await startHostOn(wire);
    app.on('args', () => {});
    expect(await launchWaiting(app, wire).result).toMatchObject({ outcome: 'delivered', exitCode: 0 });
  });

  it('exits with 0 when the output of the listener has arrived', async () => {
    const { app } = await startHostOn(wire);
    app.on('args', (_, client) => client.stdout.write('x'.repeat(300_000)));
    const { result, stdout } = launchWaiting(app, wire);
    expect(await result).toMatchObject({ exitCode: 0 });
    expect((await stdout).length).toBe(300_000);
  });

  it('exits with 0 when all promises have settled, also those of client listeners and observers', async () => {
    const { app } = await startHostOn(wire);
    const steps: string[] = [];
    const after = (step: string) => async (): Promise<void> => {
      for (let turns = 0; turns < 3; turns += 1) await turn();
      steps.push(step);
    };
    app.on('client', after('client')).on('args', after('args')).trace(after('observer'));
    expect(await launchWaiting(app, wire).result).toMatchObject({ exitCode: 0 });
    expect(steps.toSorted()).toEqual(['args', 'client', 'observer']);
  });

  it('fails with LISTENER_FAILED if a listener rejected, after the others have settled and their output has arrived', async () => {
    const { app, warnings } = await startHostOn(wire);
    app.trace(() => Promise.reject(new Error('a secret of the host')));
    app.on('args', async (_, client) => {
      await turn();
      client.stdout.write('written');
    });
    const { result, stdout } = launchWaiting(app, wire);
    const error = await result;
    expect(error).toMatchObject({ name: 'SingletonError', code: 'ERR_SINGLETON_LISTENER_FAILED' });
    expect(String(error)).not.toContain('a secret of the host');
    expect(await stdout).toBe('written');
    expect(warnings).toMatchObject([{ code: 'ERR_SINGLETON_LISTENER_FAILED' }]);
  });

  it('receives the result of another listener although one has failed', async () => {
    const { app } = await startHostOn(wire);
    app.trace(() => {
      throw new Error('boom');
    });
    app.on('args', async (_, client) => {
      await turn();
      client.exit(7);
    });
    expect(await launchWaiting(app, wire).result).toMatchObject({ exitCode: 7 });
  });

  it('does not exit while a stream is in use', async () => {
    const { app } = await startHostOn(wire);
    app.on('args', (_, client) => {
      client.stdin.pipe(client.stdout);
      client.stdout.once('finish', () => setImmediate(() => client.exit(9)));
    });
    const { result, stdout } = launchWaiting(app, wire, { stdin: 'to and fro' });
    expect(await result).toMatchObject({ exitCode: 9 });
    expect(await stdout).toBe('to and fro');
  });

  it('exits with 0 a moment after a piped source has ended', async () => {
    const { app } = await startHostOn(wire);
    app.on('args', (_, client) => client.stdin.pipe(new PassThrough()).pipe(client.stdout));
    const { result, stdout } = launchWaiting(app, wire, { stdin: 'to and fro' });
    expect(await result).toMatchObject({ exitCode: 0 });
    expect(await stdout).toBe('to and fro');
  });

  it.each<[string, (client: Client) => unknown]>([
    ['of a write', (client) => client.stdout.write('x'.repeat(300_000), () => client.exit(3))],
    ['of an end', (client) => client.stdout.end('x', () => client.exit(3))],
    ['of the end of stdin', (client) => client.stdin.on('end', () => client.exit(3)).resume()],
    ['of a child that was piped', (client) => fakeChild(client)],
  ])('receives a result that is set in the callback %s', async (_, listener) => {
    const { app } = await startHostOn(wire);
    app.on('args', (_args, client) => void listener(client));
    expect(await launchWaiting(app, wire, { stdin: 'x' }).result).toMatchObject({ exitCode: 3 });
  });

  it('receives the first result of several listeners when all have settled: the others may write until then', async () => {
    const { app } = await startHostOn(wire);
    app.on('args', (_, client) => client.exit(4));
    app.on('args', async (_, client) => {
      for (let turns = 0; turns < 5; turns += 1) await turn();
      client.stdout.write('late');
      client.exit(5);
    });
    const { result, stdout } = launchWaiting(app, wire);
    expect(await result).toMatchObject({ exitCode: 4 });
    expect(await stdout).toBe('late');
  });

  it('receives the first result when all listeners have been called, although it was queued before', async () => {
    const { app } = await startHostOn(wire);
    const arrived = once(app, 'client');
    const { result, stdout } = launchWaiting(app, wire);
    await arrived;
    await turn();
    expect(app.arguments).toHaveLength(1);
    app.on('args', (_, client) => client.exit(4));
    app.on('args', (_, client) => client.stdout.write('the other'));
    expect(await result).toMatchObject({ exitCode: 4 });
    expect(await stdout).toBe('the other');
  });

  it('receives the reply of an args listener although it has no arguments', async () => {
    const { app } = await startHostOn(wire);
    app.on('args', (args, client) => client.reply(args));
    expect(await launchWaiting(app, wire, { args: [] }).result).toMatchObject({ reply: [] });
  });

  it('exits with 0 if it has no arguments, is throttled or is released', async () => {
    const { app } = await startHostOn(wire, { maxClients: 1, releaseThreshold: 3 });
    app.on('args', () => {});
    expect(await launchWaiting(app, wire, { args: [] }).result).toMatchObject({ outcome: 'delivered', exitCode: 0 });
    expect(await launchWaiting(app, wire).result).toMatchObject({ outcome: 'throttled', exitCode: 0 });
    expect(await launchWaiting(app, wire).result).toMatchObject({ outcome: 'released', exitCode: 0 });
  });

  it('receives the result of a client listener, whatever its outcome', async () => {
    const { app } = await startHostOn(wire, { maxClients: 1, releaseThreshold: 3 });
    app.on('client', (client) => client.exit(client.number));
    for (const [index, outcome] of ['delivered', 'throttled', 'released'].entries()) {
      expect(await launchWaiting(app, wire).result).toMatchObject({ outcome, exitCode: index + 1 });
    }
  });
});

describe('a host with waiting clients', () => {
  it('listens for the exit of its process until the client has its result', async () => {
    const before = process.listenerCount('exit');
    const { app } = await startHostOn(wires[0]);
    const coming = nextClient(app);
    const { result } = launchWaiting(app, wires[0]);
    const client = await coming;
    await turn();
    expect(process.listenerCount('exit')).toBe(before + 1);
    client.exit();
    await result;
    while (process.listenerCount('exit') > before) await turn();
    await app.release();
    expect(process.listenerCount('exit')).toBe(before);
  });
});

describe('a client that has disconnected', () => {
  it('reports no error when its output fails later', async () => {
    const { app } = await startHostOn(wires[0]);
    app.on('args', (_, client) => void client.stdout.write('x'));
    const pending: ((error: Error) => void)[] = [];
    const output = new Writable({
      write(_chunk, _encoding, done) {
        pending.push(done);
        this.emit('writing');
      },
    });
    const writing = once(output, 'writing');
    const { result, abort } = launchWaiting(app, wires[0], { stdout: output });
    await writing;
    abort();
    await result;
    expect(await uncaughtErrorsOf(() => pending[0]?.(new Error('EPIPE')))).toEqual([]);
    expect(output.destroyed).toBe(true);
  });
});

/** Its output ends before its exit. */
function fakeChild(client: Client): void {
  const output = new PassThrough();
  output.pipe(client.stdout);
  output.end('x');
  client.stdout.once('finish', () => setImmediate(() => client.exit(3)));
}

describe('both sides of a session', () => {
  it.each(wires)('ask by keep-alive whether the other machine is still there, over $name', async (wire) => {
    const setKeepAlive = vi.spyOn(Socket.prototype, 'setKeepAlive');
    onTestFinished(() => setKeepAlive.mockRestore());
    const { app } = await startHostOn(wire);
    app.on('args', () => {});
    await launchWaiting(app, wire, { wait: false }).result;
    expect(setKeepAlive).not.toHaveBeenCalled();
    await launchWaiting(app, wire).result;
    expect(setKeepAlive.mock.calls).toEqual([
      [true, 30_000],
      [true, 30_000],
    ]);
  });

  it.each(wires)('name the endpoint in what they report, over $name', async (wire) => {
    const { app, warnings } = await startHostOn(wire, { maxMessageBytes: 100 });
    const error = await launchWaiting(app, wire, { args: ['x'.repeat(200)] }).result;
    const named = { message: expect.stringContaining(app.endpoint), stack: expect.stringContaining(app.endpoint) };
    expect(error).toMatchObject({ code: 'ERR_SINGLETON_MESSAGE_TOO_LARGE', ...named });
    expect(warnings).toMatchObject([{ code: 'ERR_SINGLETON_MESSAGE_TOO_LARGE', ...named }]);
  });
});
