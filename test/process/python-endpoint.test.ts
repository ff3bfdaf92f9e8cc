import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { legacy, Singleton } from '../../src/index.ts';
import { pipe } from '../../src/transports/pipe.ts';
import { nextClient } from '../helpers/answer.ts';
import { startHost } from '../helpers/host.ts';
import { freePort, type Program } from '../helpers/program.ts';
import {
  codec,
  command,
  connectPeer,
  isSecure,
  python,
  pythonHost,
  rejection,
  runPeer,
  send,
  startOurs,
  ways,
} from '../helpers/python.ts';
import { socketFolder } from '../helpers/socket-folder.ts';

const codecs = [codec, legacy()] as const;

const vectors = fileURLToPath(new URL('../../docs/vectors.json', import.meta.url));

describe.skipIf(python === undefined)('a Python peer', () => {
  test('behaves as docs/vectors.json says', async () => {
    const checking = runPeer('vectors', vectors);
    expect(await checking.exited()).toEqual({ code: 0, signal: null });
    const checked = Object.fromEntries(checking.all('vectors').map(({ part, checked: count }) => [part, count]));
    for (const part of ['messages', 'sessions', 'values', 'legacy', 'connections', ...(isSecure ? ['secured'] : [])]) {
      expect(checked[part]).toBeGreaterThan(0);
    }
  });
});

describe.skipIf(python === undefined).each(ways)('the version and the environment, $way', ({ shared, flags }) => {
  test('arrive from a Python client, and the version of our host there', async () => {
    const { app, clients } = await startOurs({ ...shared, version: '1.3.9' });
    const fields = ['--version', '1.4.0', '--env', 'EDITOR=vi', '--env', 'EMPTY=', '--terminal', '1:24:120:40'];

    const sender = connectPeer(app, ...flags, ...fields, 'work');

    expect(await sender.line('receipt')).toMatchObject({ version: '1.3.9' });
    expect(clients[0]).toMatchObject({ version: '1.4.0', env: { EDITOR: 'vi', EMPTY: '' }, codec: 'json' });
  });

  test('arrive at a Python host, and its version here', async () => {
    const port = await freePort();
    const host = await pythonHost(port, ...flags, '--version', '1.3.9');
    process.env['PEER_TEST'] = 'ü=ü';
    onTestFinished(() => void delete process.env['PEER_TEST']);

    const receipt = await send(port, { ...shared, version: '1.4.0', forwardEnv: ['PEER_TEST', 'PEER_NOT_SET'] }, {});

    expect(receipt.host?.version).toBe('1.3.9');
    expect(await host.line('launch')).toMatchObject({ version: '1.4.0', env: { PEER_TEST: 'ü=ü' } });
  });
});

describe.skipIf(python === undefined).each(ways)('the status, $way', ({ shared, flags }) => {
  test('of our host is read by a Python client, which is not counted', async () => {
    const { app, clients } = await startOurs(
      new Singleton({ port: 0, ...shared, codec: codecs, args: [], version: '1.3.9' }),
    );
    const connected = nextClient(app);
    connectPeer(app, ...flags, '--wait', 'work');
    await connected;

    const asking = connectPeer(app, ...flags, '--status');

    expect(await asking.line('status')).toMatchObject({
      pid: process.pid,
      version: '1.3.9',
      clients: 1,
      pending: 0,
      sessions: 1,
      codecs: ['json', 'legacy'],
    });
    expect((await asking.exited()).code).toBe(0);
    expect(clients).toHaveLength(1);
  });

  test('of our host may precede a launch', async () => {
    const { app } = await startOurs(shared);
    const sender = connectPeer(app, ...flags, '--status-first', '--skippable', 'work');
    expect(await sender.line('receipt')).toMatchObject({ client: 1 });
    expect(sender.all('status')).toMatchObject([{ clients: 0 }]);
  });

  test('of a Python host is read by ours', async () => {
    const port = await freePort();
    const host = await pythonHost(port, ...flags, '--version', '1.3.9', '--codec', 'json,legacy');
    const waiting = rejection(send(port, shared, { wait: true, args: ['work'] }));
    await host.line('launch');

    const status = await Singleton.status({ port, ...shared });

    const { since } = await host.line('host');
    expect(status).toEqual({
      endpoint: `tcp://127.0.0.1:${port}`,
      pid: host.pid,
      since: new Date(Number(since)),
      version: '1.3.9',
      clients: 1,
      pending: 0,
      sessions: 1,
      codecs: ['json', 'legacy'],
    });
    command(host, { release: true });
    expect(await waiting).toMatchObject({ code: 'ERR_SINGLETON_RELEASED' });
  });
});

describe.skipIf(python === undefined).each(ways)('a replace, $way', ({ shared, flags }) => {
  test('by a Python client takes the endpoint of our host', async () => {
    const { app, clients } = await startOurs({ ...shared, allowReplace: true });
    const released = new Promise((resolve) => app.once('release', resolve));

    const next = connectPeer(app, ...flags, '--replace', '--version', '2', 'unused');

    await next.line('host');
    expect(next.all('replaced')).toHaveLength(1);
    expect(await released).toBe('replaced');
    expect(clients).toEqual([]);
    const receipt = await send(Number(new URL(app.endpoint).port), shared, { args: ['to the next'] });
    expect(receipt.host).toMatchObject({ pid: next.pid, version: '2' });
  });

  test('by a Python client is refused by our host, which goes on', async () => {
    const { app } = await startOurs(shared);
    const next = connectPeer(app, ...flags, '--replace', 'unused');
    expect(await next.line('refusal')).toMatchObject({ reason: 8 });
    expect((await next.exited()).code).toBe(1);
    expect(await connectPeer(app, ...flags, 'work').line('receipt')).toMatchObject({ client: 1 });
  });

  test('by exactly one of several Python clients takes the endpoint, and the others find the next host', async () => {
    // A slow machine may take long to start them all.
    const { app } = await startOurs({ ...shared, allowReplace: true, receiveTimeout: 100_000 });
    const newcomers = Array.from({ length: 4 }, (_, index) =>
      connectPeer(app, ...flags, '--replace', '--together', '--delivery-timeout', '100', `${index}`),
    );
    await Promise.all(newcomers.map((newcomer) => newcomer.line('ready')));
    for (const newcomer of newcomers) newcomer.writeLine();

    const isHost = await Promise.all(newcomers.map(async (newcomer) => becomesHost(newcomer)));

    expect(isHost.filter(Boolean)).toHaveLength(1);
    const host = newcomers[isHost.indexOf(true)];
    expect(newcomers.flatMap((newcomer) => newcomer.all('replaced'))).toHaveLength(1);
    await host?.line('launch', ({ number }) => number === 3);
  });

  test('by ours takes the endpoint of a Python host, which ends its sessions', async () => {
    const port = await freePort();
    const host = await pythonHost(port, ...flags, '--allow-replace', '--version', '1');
    const waiting = rejection(send(port, shared, { wait: true, args: ['work'] }));
    await host.line('launch');

    const app = await startHost({ port, ...shared, version: '2', replace: ({ version }) => version !== '2' });

    expect(await host.line('release')).toMatchObject({ reason: 'replaced' });
    expect(await waiting).toMatchObject({ code: 'ERR_SINGLETON_RELEASED' });
    expect((await host.exited()).code).toBe(0);
    expect(await connectPeer(app, ...flags, 'work').line('receipt')).toMatchObject({ pid: process.pid, version: '2' });
  });

  test('by ours is refused by a Python host', async () => {
    const port = await freePort();
    const host = await pythonHost(port, ...flags);
    const app = new Singleton({ port, ...shared, replace: true });
    expect(await rejection(app.acquire())).toMatchObject({ code: 'ERR_SINGLETON_REPLACE_REFUSED' });
    expect(host.all('launch')).toEqual([]);
  });
});

describe.skipIf(python === undefined).each(ways)('several codecs at one endpoint, $way', ({ shared, flags }) => {
  test('are accepted by our host, from Python clients of each', async () => {
    const { app, clients, args } = await startOurs(new Singleton({ port: 0, ...shared, codec: codecs, args: [] }));
    const senders: Program[] = [];
    for (const name of ['json', 'legacy', 'json']) {
      const sender = connectPeer(app, ...flags, '--codec', name, name, '');
      expect((await sender.exited()).code).toBe(0);
      senders.push(sender);
    }
    expect(args).toEqual([
      ['json', ''],
      ['legacy', ''],
      ['json', ''],
    ]);
    expect(clients.map((client) => client.codec)).toEqual(['json', 'legacy', 'json']);
    expect(senders[2]?.all('receipt')).toMatchObject([{ client: 3 }]);
  });

  test('are accepted by a Python host, from clients of ours of each', async () => {
    const port = await freePort();
    const host = await pythonHost(port, ...flags, '--codec', 'json,legacy');
    const ofBoth = await Singleton.send({ port, ...shared, codec: codecs, args: ['a', ''] });
    expect(ofBoth.outcome).toBe('delivered');
    expect(await send(port, { ...shared, codec: legacy() }, { args: ['b', ''] })).toMatchObject({
      outcome: 'unconfirmed',
    });
    // Each connection has a thread there: the lines may come in any order.
    const first = await host.line('launch', ({ number }) => number === 1);
    const second = await host.line('launch', ({ number }) => number === 2);
    expect(first).toMatchObject({ codec: 'json', args: ['a', ''] });
    expect(second).toMatchObject({ codec: 'legacy', args: ['b', ''] });
  });
});

describe.skipIf(python === undefined)('the legacy protocol', () => {
  test('is told apart: a Python client of it fails at our structured host, and a structured one at our legacy host', async () => {
    const structured = await startOurs({ codec });
    const plain = await startOurs({ codec: legacy() });
    expect((await connectPeer(structured.app, '--codec', 'legacy', 'work').exited()).code).toBe(1);
    expect(await connectPeer(plain.app, 'work').line('hello')).toMatchObject({ status: 2 });
    expect([...structured.clients, ...plain.clients]).toEqual([]);
  });

  test('is told apart: ours of it fails at a structured Python host, and a structured one at a legacy Python host', async () => {
    const structured = await freePort();
    const plain = await freePort();
    await pythonHost(structured);
    await pythonHost(plain, '--codec', 'legacy');
    const unsupported = { code: 'ERR_SINGLETON_UNSUPPORTED_VERSION' };
    expect(await rejection(send(structured, { codec: legacy() }, { args: ['a'] }))).toMatchObject(unsupported);
    expect(await rejection(send(plain, { codec }, { args: ['a'] }))).toMatchObject(unsupported);
  });

  test('has a status that says only that somebody is there, in both directions', async () => {
    const { app, clients, warnings } = await startOurs({ codec: legacy() });
    expect(await connectPeer(app, '--codec', 'legacy', '--status').line('status')).toMatchObject({ legacy: true });
    expect([...clients, ...warnings]).toEqual([]);

    const port = await freePort();
    expect(await Singleton.status({ port })).toBeUndefined();
    const host = await pythonHost(port, '--codec', 'legacy');
    expect(await Singleton.status({ port })).toEqual({ endpoint: `tcp://127.0.0.1:${port}` });
    expect(await send(port, { codec: legacy() }, { args: ['first'] })).toMatchObject({ outcome: 'unconfirmed' });
    expect(await host.line('launch')).toMatchObject({ number: 1, args: ['first'] });
  });
});

// Python has no named pipes.
describe.skipIf(python === undefined || process.platform === 'win32')('a Python client of a pipe', () => {
  test('delivers its launch over each protocol', async () => {
    const path = join(socketFolder(), 'socket');
    const { app, args } = await startOurs(new Singleton({ transport: pipe({ path }), codec: codecs, args: [] }));
    expect(await runPeer('client', '--path', path, 'one').line('receipt')).toMatchObject({ client: 1 });
    expect((await runPeer('client', '--path', path, '--codec', 'legacy', 'two').exited()).code).toBe(0);
    expect(args).toEqual([['one'], ['two']]);
    expect(app.clients).toBe(2);
  });

  test('tries again after a reset, which is eight bytes there', async () => {
    const path = join(socketFolder(), 'socket');
    const { app } = await startOurs({ transport: pipe({ path }), codec });
    const sender = runPeer('client', '--path', path, '--broken-magic', 'one');
    await sender.line('retry', ({ message }) => String(message).includes('The host has reset'));
    expect(app.clients).toBe(0);
  });
});

/** Whether a newcomer becomes the host, or delivers its launch. */
async function becomesHost(newcomer: Program): Promise<boolean> {
  return Promise.any([newcomer.line('host').then(() => true), newcomer.line('receipt').then(() => false)]);
}
