import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test } from 'vitest';
import { json } from '../../src/codecs/json.ts';
import { type Schema, Singleton } from '../../src/index.ts';
import { aborted, nextClient } from '../helpers/answer.ts';
import { startHost } from '../helpers/host.ts';
import { freePort } from '../helpers/program.ts';
import {
  codec,
  command,
  connectPeer,
  isSecure,
  output,
  peer,
  python,
  pythonHost,
  rejection,
  secret,
  send,
  startOurs,
  ways,
} from '../helpers/python.ts';

const ARGS = ['naïve', '', '🚀'];

/** More than a window, and more than one frame. */
const MANY = 300_000;

describe.skipIf(python === undefined).each(ways)('a Python client of our host, $way', ({ shared, flags }) => {
  test.each([
    ['', []],
    [', with frames that are to be skipped', ['--skippable']],
  ])('delivers its launch and reads the receipt%s', async (_, skippable) => {
    const { app, clients, args, warnings } = await startOurs(shared);

    const sender = connectPeer(app, ...flags, ...skippable, ...ARGS);

    expect(await sender.line('receipt')).toMatchObject({ outcome: 1, client: 1, pid: process.pid });
    expect((await sender.exited()).code).toBe(0);
    expect(args).toEqual([ARGS]);
    expect(clients[0]).toMatchObject({ number: 1, cwd: process.cwd(), pid: sender.pid, waiting: false });
    expect(warnings).toEqual([]);
  });

  test.each([
    ['', []],
    [', with frames that are to be skipped', ['--skippable']],
  ])('reads output and the exit status, and sends stdin as far as the credit goes%s', async (_, skippable) => {
    const { app, warnings } = await startOurs(shared);
    app.on('args', async (_args, client) => {
      const input = await text(client.stdin);
      client.stdout.write('é'.repeat(MANY));
      client.stderr.write(`${input.length}`);
      client.exit(7);
    });

    const sender = connectPeer(app, ...flags, ...skippable, '--wait', 'work');
    command(sender, { stdin: 'x', times: MANY });
    command(sender, { stdin: null });

    expect(await sender.exited()).toEqual({ code: 7, signal: null });
    expect(output(sender, 'stdout') === 'é'.repeat(MANY)).toBe(true);
    expect(output(sender, 'stderr')).toBe(`${MANY}`);
    expect(warnings).toEqual([]);
  });

  test('reads a reply', async () => {
    const { app } = await startOurs(shared);
    app.on('args', (_, client) => void client.reply({ list: [1.5, null, 'ü'] }));
    const sender = connectPeer(app, ...flags, '--wait', 'work');
    expect(await sender.line('reply')).toMatchObject({ value: { list: [1.5, null, 'ü'] } });
    expect((await sender.exited()).code).toBe(0);
  });

  test('reads the refusal of a listener that fails', async () => {
    const { app } = await startOurs(shared);
    app.on('args', () => {
      throw new Error('on purpose');
    });
    const sender = connectPeer(app, ...flags, '--wait', 'work');
    expect(await sender.line('refusal')).toMatchObject({ reason: 6 });
    expect((await sender.exited()).code).toBe(1);
  });

  test('reads refusal 2 of a launch that is too large', async () => {
    const { app, clients } = await startOurs({ ...shared, maxMessageBytes: 1000 });
    const sender = connectPeer(app, ...flags, 'x'.repeat(1000));
    expect(await sender.line('refusal')).toMatchObject({ reason: 2 });
    expect((await sender.exited()).code).toBe(1);
    expect(clients).toEqual([]);
  });

  test('reads refusal 1 of a launch that the schema rejects', async () => {
    const app = new Singleton({ port: 0, ...shared, codec: json(), args: 'ours', schema: isText });
    onTestFinished(() => app.release());
    await app.acquire();
    const sender = peer('client', Number(new URL(app.endpoint).port), ...flags, 'no text');
    expect(await sender.line('refusal')).toMatchObject({ reason: 1 });
    expect(app.clients).toBe(0);
  });

  test.each([
    ['stdin without credit', { frame: 8, body: 'x' }],
    ['a second launch', { frame: 1 }],
    ['an unknown kind below 128', { frame: 127 }],
    ['a name of a signal that is none', { frame: 15, body: 'SIGINT ' }],
    ['a terminal that is too short', { frame: 14, body: '12345' }],
  ])('reads refusal 3 after %s', async (_, frame) => {
    const { app } = await startOurs(shared);
    const connected = nextClient(app);
    const sender = connectPeer(app, ...flags, '--wait', 'work');
    const client = await connected;

    command(sender, frame);

    expect(await sender.line('refusal')).toMatchObject({ reason: 3 });
    await aborted(client.signal);
  });

  test.each(['end', 'reset'])('aborts the signal of its client by its %s', async (how) => {
    const { app } = await startOurs(shared);
    const connected = nextClient(app);
    const sender = connectPeer(app, ...flags, '--wait', 'work');
    const client = await connected;
    command(sender, { [how]: true });
    await aborted(client.signal);
  });

  test('ends by a signal that nothing listens for, after a resize, which nothing listens for either', async () => {
    const { app } = await startOurs(shared);
    const connected = nextClient(app);
    const sender = connectPeer(app, ...flags, '--wait', '--terminal', '1:24:80:25', 'work');
    const client = await connected;

    command(sender, { resize: [1, 24, 100, 40], signal: 'SIGINT' });

    expect(await sender.exited()).toEqual({ code: 130, signal: null });
    expect(sender.all('refusal')).toEqual([]);
    await aborted(client.signal);
  });

  test('reads exit 0 of a launch that is throttled', async () => {
    const { app, args } = await startOurs({ ...shared, maxClients: 1 });
    expect((await connectPeer(app, ...flags, 'first').exited()).code).toBe(0);
    const sender = connectPeer(app, ...flags, '--wait', 'second');
    expect(await sender.line('receipt')).toMatchObject({ outcome: 2, client: 2 });
    expect(await sender.line('exit')).toMatchObject({ status: 0 });
    expect(args).toEqual([['first']]);
  });

  test('reads refusal 7 when the host is released', async () => {
    const { app } = await startOurs(shared);
    const connected = nextClient(app);
    const sender = connectPeer(app, ...flags, '--wait', 'work');
    await connected;
    await app.release();
    expect(await sender.line('refusal')).toMatchObject({ reason: 7 });
  });

  test.each([
    ['another version', 1, ['--client-version', '2']],
    ['another codec', 2, ['--codec', 'cbor']],
    ['another application', 3, ['--name', 'other']],
    ['an unsupported flag', 7, ['--flags', '4']],
    ['an unsupported flag, before it looks at the names', 7, ['--flags', '128', '--codec', 'cbor', '--name', 'other']],
  ])('reads the status of %s', async (_, status, different) => {
    const { app, clients } = await startOurs(shared);
    const sender = connectPeer(app, ...flags, ...different, 'work');
    expect(await sender.line('hello')).toMatchObject({ status, version: 1 });
    expect((await sender.exited()).code).toBe(1);
    expect(clients).toEqual([]);
  });

  test('may say that it was refused before', async () => {
    const { app } = await startOurs(shared);
    const sender = connectPeer(app, ...flags, '--flags', '2', 'work');
    expect(await sender.line('receipt')).toMatchObject({ client: 1 });
  });
});

describe.skipIf(python === undefined).each(ways)('our client of a Python host, $way', ({ shared, flags }) => {
  test.each([
    ['', []],
    [', with frames that are to be skipped', ['--skippable']],
    [', with such frames right after the host hello', ['--skippable-early']],
  ])('delivers its launch and reads the receipt%s', async (_, skippable) => {
    const port = await freePort();
    const host = await pythonHost(port, ...flags, ...skippable);

    const receipt = await send(port, shared, { args: ARGS });

    expect(receipt).toMatchObject({ outcome: 'delivered', client: 1, host: { pid: host.pid } });
    expect(receipt.host?.since.getTime()).toBe(Number((await host.line('host'))['since']));
    expect(host.all('refusal')).toEqual([]);
    const launch = { number: 1, args: ARGS, waits: false, pid: process.pid, cwd: process.cwd() };
    expect(await host.line('launch')).toMatchObject(launch);
  });

  test.each([
    ['', []],
    [', with frames that are to be skipped', ['--skippable']],
  ])('reads output and the exit status, and sends stdin as far as the credit goes%s', async (_, skippable) => {
    const port = await freePort();
    const host = await pythonHost(port, ...flags, ...skippable);
    const stdout = new PassThrough();
    const stderr = new PassThrough();
    const out = text(stdout);
    const err = text(stderr);
    const stdin = Readable.from([Buffer.alloc(MANY, 'x')]);

    const waiting = send(port, shared, { wait: true, stdin, stdout, stderr, args: ['work'] });
    await host.line('stdin', ({ bytes }) => bytes === 0);
    command(host, { client: 1, stdout: 'é', times: MANY });
    command(host, { client: 1, stderr: 'done' });
    command(host, { client: 1, exit: 7 });

    expect(await waiting).toMatchObject({ outcome: 'delivered', exitCode: 7 });
    stdout.end();
    stderr.end();
    expect((await out) === 'é'.repeat(MANY)).toBe(true);
    expect(await err).toBe('done');
    expect(output(host, 'stdin') === 'x'.repeat(MANY)).toBe(true);
  });

  test('sends no byte of stdin beyond the credit, and the end without any', async () => {
    const port = await freePort();
    const host = await pythonHost(port, ...flags, '--window', '0');
    const waiting = send(port, shared, { wait: true, stdin: Readable.from([Buffer.from('abcde')]), args: ['work'] });
    await host.line('launch');
    command(host, { client: 1, grant: 2 });
    await host.line('stdin', ({ text: part }) => part === 'ab');
    command(host, { client: 1, grant: 3 });
    await host.line('stdin', ({ bytes }) => bytes === 0);
    command(host, { client: 1, exit: 0 });
    expect(await waiting).toMatchObject({ exitCode: 0 });
    expect(host.all('stdin').map(({ text: part }) => part)).toEqual(['ab', 'cde', '']);
    expect(host.all('refusal')).toEqual([]);
  });

  test('reads a reply', async () => {
    const port = await freePort();
    const host = await pythonHost(port, ...flags);
    const waiting = send(port, shared, { wait: true, args: ['work'] });
    await host.line('launch');
    command(host, { client: 1, reply: { list: [1.5, null, 'ü'] } });
    expect(await waiting).toMatchObject({ reply: { list: [1.5, null, 'ü'] }, exitCode: 0 });
  });

  test.each([
    [3, 'ERR_SINGLETON_CONNECTION_FAILED'],
    [6, 'ERR_SINGLETON_LISTENER_FAILED'],
    [7, 'ERR_SINGLETON_RELEASED'],
    [1, 'ERR_SINGLETON_CONNECTION_FAILED'],
  ])('rejects after refusal %i in a session', async (reason, code) => {
    const port = await freePort();
    const host = await pythonHost(port, ...flags);
    const rejected = rejection(send(port, shared, { wait: true, args: ['work'] }));
    await host.line('launch');
    command(host, { client: 1, refuse: reason, message: 'for a log' });
    expect(await rejected).toMatchObject({ code });
  });

  test('rejects after a frame that no host may send', async () => {
    const port = await freePort();
    const host = await pythonHost(port, ...flags);
    const rejected = rejection(send(port, shared, { wait: true, args: ['work'] }));
    await host.line('launch');
    command(host, { client: 1, frame: 127 });
    expect(await rejected).toMatchObject({ code: 'ERR_SINGLETON_CONNECTION_FAILED' });
    await host.line('disconnected');
  });

  test('rejects after refusal 2', async () => {
    const port = await freePort();
    const host = await pythonHost(port, ...flags, '--max-message-bytes', '1000');
    const rejected = rejection(send(port, shared, { args: ['x'.repeat(1000)] }));
    expect(await rejected).toMatchObject({ code: 'ERR_SINGLETON_MESSAGE_TOO_LARGE' });
    expect(host.all('launch')).toEqual([]);
  });

  test('disconnects the client when its launch is aborted', async () => {
    const port = await freePort();
    const host = await pythonHost(port, ...flags);
    const controller = new AbortController();
    const rejected = rejection(send(port, shared, { wait: true, args: ['work'], signal: controller.signal }));
    await host.line('launch');
    controller.abort();
    await rejected;
    await host.line('disconnected');
  });

  test.each([
    ['another codec', 'ERR_SINGLETON_UNSUPPORTED_VERSION', ['--codec', 'cbor']],
    ['another application', 'ERR_SINGLETON_WRONG_APPLICATION', ['--name', 'other']],
  ])('rejects after the status of %s', async (_, code, different) => {
    const port = await freePort();
    await pythonHost(port, ...flags, ...different);
    expect(await rejection(send(port, shared, { args: ['work'] }))).toMatchObject({ code });
  });

  test('is delivered to the next host when it reaches one that is released', async () => {
    const port = await freePort();
    const host = await pythonHost(port, ...flags, '--release-threshold', '1');
    expect(await send(port, shared, { args: ['last'] })).toMatchObject({ outcome: 'released', client: 1 });
    expect((await host.exited()).code).toBe(0);
    const next = await startHost({ port, ...shared });
    expect(next.endpoint).toContain(String(port));
  });
});

describe.skipIf(!isSecure)('a Python peer with a secret', () => {
  test.each([
    ['another', 6, secret, ['--secret', 'another']],
    ['none', 4, secret, []],
    ['one that is not expected', 5, undefined, ['--secret', secret]],
  ])('is refused by our host if it has %s', async (_, status, ours, flags) => {
    const { app, failures } = await startOurs(ours === undefined ? { codec } : { codec, secret: ours });
    const sender = connectPeer(app, ...flags, 'work');
    expect(await sender.line('hello')).toMatchObject({ status });
    expect((await sender.exited()).code).toBe(1);
    expect(failures).toHaveLength(1);
  });

  test.each([
    ['another', { secret: 'another' }, ['--secret', secret]],
    ['none', {}, ['--secret', secret]],
    ['one that is not expected', { secret }, []],
  ])('refuses our client if that has %s', async (_, ours, flags) => {
    const port = await freePort();
    const host = await pythonHost(port, ...flags);
    const rejected = rejection(send(port, { codec, ...ours }, { args: ['work'] }));
    expect(await rejected).toMatchObject({ code: 'ERR_SINGLETON_VERIFICATION_FAILED' });
    expect(host.all('launch')).toEqual([]);
  });
});

const isText: Schema<string> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) => (typeof value === 'string' ? { value } : { issues: [{ message: 'This is no text.' }] }),
  },
};
