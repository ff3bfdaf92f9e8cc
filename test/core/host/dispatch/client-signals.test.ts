import { EventEmitter, once } from 'node:events';
import { PassThrough } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Client } from '../../../../src/index.ts';
import { frames } from '../../../../src/protocol/frames.ts';
import { encodeClientHello } from '../../../../src/protocol/hello.ts';
import { encodeLaunch } from '../../../../src/protocol/launch.ts';
import { type Frame, KIND } from '../../../../src/protocol/messages.ts';
import { decodeExit, encodeSignal } from '../../../../src/protocol/session/messages.ts';
import { aborted, launchWaiting, nextClient, startHostOn, wires } from '../../../helpers/answer.ts';
import { connect } from '../../../helpers/host.ts';

const HOST_HELLO_BYTES = 12;

function ignore(): void {}

const forwardSignals = ['SIGUSR2', 'SIGHUP'] as const;

/** As if the process of the client had received it, in its session. */
async function receive(signal: NodeJS.Signals): Promise<void> {
  while (process.listenerCount(signal) === 0) await turn();
  process.emit(signal, signal);
}

describe.each(wires)('a launch that forwards signals, over $name,', (wire) => {
  it('has them at the listeners of its client, and goes on', async () => {
    const { app } = await startHostOn(wire);
    const coming = nextClient(app);
    const { result } = launchWaiting(app, wire, { forwardSignals });
    const client = await coming;
    const seen: string[] = [];
    client.on('signal', (signal) => seen.push(`first ${signal}`));
    client.on('signal', (signal) => seen.push(`second ${signal}`));
    for (const signal of forwardSignals) {
      const arrived = new Promise((resolve) => client.once('signal', resolve));
      await receive(signal);
      expect(await arrived).toBe(signal);
    }
    expect(seen).toEqual(['first SIGUSR2', 'second SIGUSR2', 'first SIGHUP', 'second SIGHUP']);
    expect([client.waiting, client.signal.aborted]).toEqual([true, false]);
    client.exit(3);
    expect(await result).toMatchObject({ exitCode: 3 });
  });

  it('ends with 128 and the number of the signal if nobody listens', async () => {
    const { app, warnings } = await startHostOn(wire);
    const coming = nextClient(app);
    const { result } = launchWaiting(app, wire, { forwardSignals });
    const client = await coming;
    client.on('signal', ignore).off('signal', ignore);
    await receive('SIGHUP');
    expect(await result).toMatchObject({ exitCode: 129 });
    await aborted(client.signal);
    expect([client.stdout, client.stderr, client.stdin].map(({ destroyed }) => destroyed)).toEqual([true, true, true]);
    expect([client.waiting, client.reply('x'), client.exit(0)]).toEqual([false, false, false]);
    await turn();
    expect(warnings).toEqual([]);
  });

  it('sets the result of a listener of the signal at once, although its args listener has not settled', async () => {
    const { app } = await startHostOn(wire);
    const coming = nextClient(app);
    const { result } = launchWaiting(app, wire, { forwardSignals });
    const client = await coming;
    client.once('signal', async (signal) => {
      client.exit(null, signal);
      await new Promise(() => {});
    });
    await receive('SIGHUP');
    expect(await result).toMatchObject({ exitCode: 129 });
  });

  it('waits for the promise of a listener of a signal when the args listener has settled', async () => {
    const { app } = await startHostOn(wire);
    const work = new EventEmitter();
    app.on('args', async (_, client) => {
      const arrived = new Promise<void>((resolve) => {
        client.on('signal', async () => {
          resolve();
          await once(work, 'done');
          client.exit(7);
        });
      });
      await receive('SIGHUP');
      await arrived;
    });
    const { result } = launchWaiting(app, wire, { forwardSignals, args: ['a'] });
    await once(app, 'args');
    for (let turns = 0; turns < 20; turns += 1) await turn();
    work.emit('done');
    expect(await result).toMatchObject({ exitCode: 7 });
  });

  it.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('boom');
      },
    ],
    ['rejects', () => Promise.reject(new Error('boom'))],
  ])('is failed by a listener of a signal that %s, and another listener is still called', async (_, listener) => {
    const { app, warnings } = await startHostOn(wire);
    let client: Client | undefined;
    app.on('args', async (_args, given) => {
      client = given.on('signal', listener);
      const arrived = new Promise((resolve) => given.on('signal', resolve));
      await receive('SIGHUP');
      await arrived;
    });
    const { result } = launchWaiting(app, wire, { forwardSignals });
    expect(await result).toMatchObject({ code: 'ERR_SINGLETON_LISTENER_FAILED' });
    expect(client?.waiting).toBe(false);
    expect(warnings).toMatchObject([{ code: 'ERR_SINGLETON_LISTENER_FAILED', cause: { message: 'boom' } }]);
    expect(warnings[0]?.message).toContain('"signal"');
  });

  it('is ended by a signal while it is in the queue, and is not dispatched', async () => {
    const { app, warnings } = await startHostOn(wire);
    const counted = once(app, 'client');
    const { result } = launchWaiting(app, wire, { forwardSignals });
    await counted;
    await receive('SIGHUP');
    expect(await result).toMatchObject({ exitCode: 129 });
    expect(warnings).toMatchObject([{ code: 'ERR_SINGLETON_CONNECTION_FAILED' }]);
    expect(app.arguments).toEqual([]);
  });

  it('has no listeners in its process before its session and after it', async () => {
    const { app } = await startHostOn(wire);
    const counts = (): number[] => forwardSignals.map((signal) => process.listenerCount(signal));
    expect(counts()).toEqual([0, 0]);
    const coming = nextClient(app);
    const { result, abort } = launchWaiting(app, wire, { forwardSignals });
    expect(counts()).toEqual([0, 0]);
    const client = await coming;
    while (counts()[1] === 0) await turn();
    abort();
    await result;
    expect(counts()).toEqual([0, 0]);
    await aborted(client.signal);
  });
});

describe('a client of another system', () => {
  const hello = encodeClientHello({ isSecured: false, codec: Buffer.from('json'), application: new Uint8Array() });
  const launch = encodeLaunch({ args: Buffer.from('["a"]'), wait: true });
  const signal = encodeSignal('SIGELSEWHERE');

  it.each<[string, (client: Client) => unknown, number]>([
    ['ends with status 129', () => {}, 129],
    ['has its listeners called with it', (client) => client.on('signal', (name) => client.exit(name.length)), 12],
  ])('whose signal this one does not have %s', async (_, listener, status) => {
    const { app } = await startHostOn(wires[0]);
    app.on('args', (_args, client) => {
      listener(client);
      return new Promise(() => {});
    });
    const socket = await connect(app);
    const heard: Buffer[] = [];
    socket.on('data', (chunk) => heard.push(chunk));
    const received = (): readonly Frame[] =>
      frames.createDecoder({ maxMessageBytes: 1024 }).push(Buffer.concat(heard).subarray(HOST_HELLO_BYTES));
    socket.write(Buffer.concat([hello, frames.encode(launch)]));
    while (received().length === 0) await turn();
    socket.write(frames.encode(signal));
    while (received().length === 1) await turn();
    const [receipt, result] = received();
    expect([receipt?.kind, result?.kind, result && decodeExit(result)]).toEqual([KIND.receipt, KIND.exit, status]);
  });
});

describe('a launch in a terminal', () => {
  it('has its size and its colours at the host, and a new size', async () => {
    const { app } = await startHostOn(wires[0]);
    const coming = nextClient(app);
    const members = { isTTY: true, columns: 80, rows: 24, getColorDepth: () => 8 };
    const stderr = Object.assign(new PassThrough(), members);
    const { result } = launchWaiting(app, wires[0], { stderr });
    const client = await coming;
    expect(client.stderr).toMatchObject({ isTTY: true, columns: 80, rows: 24 });
    expect([client.stderr.getColorDepth(), client.stderr.hasColors(256)]).toEqual([8, true]);
    expect(client.stdout).toMatchObject({ isTTY: undefined, columns: undefined, rows: undefined });
    while (stderr.listenerCount('resize') === 0) await turn();
    const resized = once(client.stderr, 'resize');
    stderr.columns = 100;
    stderr.emit('resize');
    await resized;
    expect(client.stderr.getWindowSize()).toEqual([100, 24]);
    client.exit(0);
    await result;
    expect(stderr.listenerCount('resize')).toBe(0);
  });

  it('has at the host what changed between the launch and the session', async () => {
    const { app } = await startHostOn(wires[0]);
    const stdout = Object.assign(new PassThrough(), { isTTY: true, columns: 80, rows: 24 });
    const sizes: unknown[] = [];
    app.on('args', async (_, client) => {
      // Before the receipt is sent.
      stdout.columns = 100;
      sizes.push(client.stdout.columns);
      await once(client.stdout, 'resize');
      sizes.push(client.stdout.columns);
      client.exit(0);
    });
    await launchWaiting(app, wires[0], { stdout }).result;
    expect(sizes).toEqual([80, 100]);
  });

  it('that does not wait has no terminal at the host, and takes listeners', async () => {
    const { app } = await startHostOn(wires[0]);
    const coming = nextClient(app);
    const stdout = Object.assign(new PassThrough(), { isTTY: true, columns: 80, rows: 24 });
    await launchWaiting(app, wires[0], { stdout, wait: false }).result;
    const client = await coming;
    for (const output of [client.stdout, client.stderr]) {
      expect([output.isTTY, output.columns, output.rows]).toEqual([undefined, undefined, undefined]);
      expect([output.getWindowSize(), output.getColorDepth(), output.hasColors()]).toEqual([[0, 0], 1, false]);
    }
    expect(client.off('signal', ignore).on('signal', ignore).once('signal', ignore)).toBe(client);
  });
});
