import { once } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { json } from '../../src/codecs/json.ts';
import { type Client, type SendOptions, Singleton, type SingletonError } from '../../src/index.ts';
import { frames } from '../../src/protocol/frames.ts';
import { encodeLaunch } from '../../src/protocol/launch.ts';
import { KIND } from '../../src/protocol/messages.ts';
import { encodeExit, encodeWindowUpdate } from '../../src/protocol/session/messages.ts';
import { run } from '../helpers/program.ts';
import { example, expectBytes } from '../helpers/wire-examples.ts';
import { acquire, type HostOptions } from '../helpers/wire-host.ts';
import {
  frame,
  EMPTY,
  clientHello,
  expectRefusal,
  launchFrame,
  serve,
  SecureConnection,
  readFrame,
  type ByteReader,
  u32,
  RawConnection,
} from '../helpers/wire.ts';

const SECRET = 'an example, not to be used';
const ARGS = { file: 'a.txt', line: 3 };
const DRAFT = Buffer.from('draft\n');
const WAITS = 1;

describe('the session examples of docs/protocol.md', () => {
  test('have the bytes of the encoders', () => {
    const args = Buffer.from(JSON.stringify(ARGS));
    const launch = encodeLaunch({ args, cwd: '/home/ada', pid: 4242, wait: true });
    expectBytes('launch that waits', frames.encode(launch));
    expectBytes('window update', frames.encode(encodeWindowUpdate(262_144)));
    expectBytes('stdin', frames.encode({ kind: KIND.stdin, body: DRAFT }));
    expectBytes('end of stdin', frames.encode({ kind: KIND.stdin, body: EMPTY }));
    expectBytes('stdout', frames.encode({ kind: KIND.stdout, body: Buffer.from('saved\n') }));
    expectBytes('stderr', frames.encode({ kind: KIND.stderr, body: Buffer.from('line 3 is new\n') }));
    expectBytes('reply', frames.encode({ kind: KIND.reply, body: Buffer.from('{"bytes":6}') }));
    expectBytes('exit', frames.encode(encodeExit(3)));
  });
});

describe('a Singleton as host of a session', () => {
  test('answers the session example with its bytes', async () => {
    const app = await acquire({});
    app.on('args', async (_, client) => {
      const bytes = await buffer(client.stdin);
      client.stdout.write('saved\n');
      client.stderr.write('line 3 is new\n');
      client.reply({ bytes: bytes.length });
    });
    const connection = await RawConnection.open(app);
    const { kind, body } = await connection.launch(example('launch that waits'));
    expect([kind, body[0], body.readUInt32BE(1)]).toEqual([2, 1, 1]);
    await expectNext(connection, 'window update');
    connection.write(Buffer.concat([example('stdin'), example('end of stdin')]));
    for (const name of ['stdout', 'stderr', 'reply']) await expectNext(connection, name);
    connection.end();
    expect(await connection.readToEnd()).toHaveLength(0);
  });

  test('sends the exit example without a window update when the listener does not read stdin', async () => {
    const { connection } = await openSession((client) => client.exit(3));
    await expectNext(connection, 'exit');
    connection.end();
    expect(await connection.readToEnd()).toHaveLength(0);
  });

  test('sends output in frames of 65,536 bytes, whatever maxMessageBytes is, none empty, and all before the result', async () => {
    const output = Buffer.alloc(64 * 65_536 + 1, 'output');
    const { connection } = await openSession(
      (client) => {
        client.stdout.write(output);
        client.stdout.write('');
        client.exit(0);
      },
      { maxMessageBytes: 100 },
    );
    for (let at = 0; at < output.length; at += 65_536) {
      const { kind, body } = await readFrame(connection);
      expect([kind, body.equals(output.subarray(at, at + 65_536))]).toEqual([6, true]);
    }
    expect(await readFrame(connection)).toEqual({ kind: 5, body: Buffer.of(0) });
  });

  test.each([
    [97, { kind: 4, body: Buffer.from(`"${'x'.repeat(97)}"`) }],
    [98, { kind: 3, body: Buffer.of(6) }],
  ])(
    'sends refusal 6 instead of a reply that is longer than its maxMessageBytes (%i characters)',
    async (size, result) => {
      const { connection } = await openSession((client) => client.reply('x'.repeat(size)), { maxMessageBytes: 100 });
      expect(await readFrame(connection)).toEqual(result);
    },
  );

  test('grants 262,144 bytes of credit, and more when half of them have arrived', async () => {
    const { connection } = await openSession(async (client) => client.reply((await buffer(client.stdin)).length));
    await expectNext(connection, 'window update');
    connection.write(Buffer.concat([frame(8, Buffer.alloc(65_535)), frame(8, Buffer.alloc(65_536))]));
    connection.write(frame(8, Buffer.of(1)));
    expect(await readFrame(connection)).toEqual({ kind: 9, body: u32(131_072) });
    connection.write(Buffer.concat([stdin(262_144), frame(8, EMPTY)]));
    let answer = await readFrame(connection);
    for (; answer.kind === 9; answer = await readFrame(connection)) {
      expect(answer.body.readUInt32BE()).toBeGreaterThanOrEqual(131_072);
      expect(answer.body.readUInt32BE()).toBeLessThanOrEqual(262_144);
    }
    expect(answer).toEqual({ kind: 4, body: Buffer.from('393216') });
  });

  test.each([
    ['a byte of stdin without credit', false, frame(8, Buffer.of(1))],
    ['a byte more than the credit', true, stdin(262_145)],
    ['stdin after its end', true, Buffer.concat([frame(8, EMPTY), frame(8, Buffer.of(1))])],
    ['a second end of stdin', true, Buffer.concat([frame(8, EMPTY), frame(8, EMPTY)])],
    ['another launch', true, launchFrame('1', WAITS)],
    ['a reply', true, frame(4, Buffer.from('1'))],
    ['a window update', true, frame(9, u32(1))],
    ['kind 0', false, frame(0, EMPTY)],
    ['a request for the status', false, frame(10, EMPTY)],
    ['kind 16', false, frame(16, EMPTY)],
    ['a length of 0', false, u32(0)],
    ['a length of 65,538', true, u32(65_538)],
  ])('refuses %s with reason 3, and sends nothing more', async (_, hasCredit, bytes) => {
    const { connection, client, warnings } = await openSession((one) => {
      if (hasCredit) one.stdin.read(0);
      return work;
    });
    if (hasCredit) await expectNext(connection, 'window update');
    connection.write(bytes);
    expectRefusal(await readFrame(connection), 3);
    expect([client.signal.aborted, client.exit(0), warnings.length]).toEqual([true, false, 1]);
    connection.end(frame(8, Buffer.of(1)));
    expect(await connection.readToEnd()).toHaveLength(0);
    expect(connection.isReset).toBe(false);
  });

  test('accepts 262,144 bytes within the credit', async () => {
    const { connection, client } = await openSession((one) => {
      one.stdin.read(0);
      return work;
    });
    await expectNext(connection, 'window update');
    connection.write(Buffer.concat([stdin(262_144), frame(8, EMPTY)]));
    expect(await buffer(client.stdin)).toHaveLength(262_144);
    expect(client.exit(0)).toBe(true);
  });

  test.each([
    ['ends', (connection: RawConnection) => connection.end()],
    [
      'ends in the middle of a frame',
      (connection: RawConnection) => connection.end(frame(8, Buffer.of(1)).subarray(0, -1)),
    ],
    ['resets', (connection: RawConnection) => connection.reset()],
  ])('aborts the signal when the client %s before the result, and sends none', async (_, disconnect) => {
    const { connection, client, warnings } = await openSession();
    disconnect(connection);
    await aborted(client);
    expect([client.stdout.destroyed, client.exit(0), warnings]).toEqual([true, false, []]);
    expect(await connection.readToEnd()).toHaveLength(0);
  });

  test.each<[string, (channel: SecureConnection, connection: RawConnection) => void]>([
    ['an end record', (channel) => channel.end()],
    ['a FIN without an end record', (_, connection) => connection.end()],
    [
      'a record that does not decrypt',
      (_, connection) => connection.write(Buffer.concat([Buffer.of(0, 16), Buffer.alloc(16)])),
    ],
    ['a record that is too short', (_, connection) => connection.write(Buffer.of(0, 15))],
  ])('closes without a result when it receives %s with a secret before the result', async (_, disconnect) => {
    const { app, firstClient } = await startHostWith(() => work, { secret: SECRET });
    const connection = await RawConnection.open(app);
    const channel = await SecureConnection.open(connection, clientHello({ flags: 1 }), SECRET);
    channel.write(launchFrame('1', WAITS));
    expect(await readFrame(channel)).toMatchObject({ kind: 2 });
    disconnect(channel, connection);
    await aborted(await firstClient);
    expect(await connection.readToEnd()).toHaveLength(0);
  });

  test('does not dispatch a pending launch after its client has disconnected', async () => {
    const app = await acquire({});
    const counted = new Promise<Client>((resolve) => app.once('client', resolve));
    const connection = await RawConnection.open(app);
    await connection.launch(launchFrame('"gone"', WAITS));
    connection.end();
    await aborted(await counted);
    await (await RawConnection.open(app)).deliver(launchFrame('"there"'));
    const [args] = await once(app, 'args');
    expect(args).toBe('there');
  });

  test('sends refusal 4 and no result when too many launches are pending', async () => {
    const app = await acquire({ maxPending: 1 });
    app.on('client', (client) => client.exit(5));
    await (await RawConnection.open(app)).deliver(launchFrame('1'));
    expectRefusal(await (await RawConnection.open(app)).deliver(launchFrame('1', WAITS)), 4);
  });

  test('refuses stdin with reason 3 when it arrives before the receipt', async () => {
    const app = await acquire({});
    const launch = Buffer.concat([launchFrame('1', WAITS), frame(8, EMPTY)]);
    expectRefusal(await (await RawConnection.open(app)).deliver(launch), 3);
    expect(app.clients).toBe(0);
  });

  test('sends exit 0 for every outcome when no listener sends a result', async () => {
    const app = await acquire({ maxClients: 1, releaseThreshold: 3 });
    app.on('args', () => {});
    for (const outcome of [1, 2, 3]) {
      const connection = await RawConnection.open(app);
      expect((await connection.launch(launchFrame('1', WAITS))).body[0]).toBe(outcome);
      expect(await readFrame(connection)).toEqual({ kind: 5, body: Buffer.of(0) });
      connection.end();
      expect(await connection.readToEnd()).toHaveLength(0);
    }
  });

  test('sends refusal 6 after all output when a listener has failed', async () => {
    const { app, firstClient } = await startHostWith((client) => client.stdout.write('written'));
    app.trace(() => Promise.reject(new Error('boom')));
    const connection = await RawConnection.open(app);
    await connection.launch(launchFrame('1', WAITS));
    expect(await readFrame(connection)).toEqual({ kind: 6, body: Buffer.from('written') });
    expect(await readFrame(connection)).toEqual({ kind: 3, body: Buffer.of(6) });
    expect((await firstClient).signal.aborted).toBe(false);
  });

  test('sends refusal 7 and closes after a release, and closes a client that has its result', async () => {
    const { app, connection, client } = await openSession();
    const answered = await RawConnection.open(app);
    app.removeAllListeners('args').on('args', (_, other) => other.exit(1));
    await answered.launch(launchFrame('1', WAITS));
    expect(await readFrame(answered)).toEqual({ kind: 5, body: Buffer.of(1) });

    void app.release();
    expect(await answered.readToEnd()).toHaveLength(0);
    expect(await readFrame(connection)).toEqual({ kind: 3, body: Buffer.of(7) });
    expect(client.signal.aborted).toBe(true);
    // The client does not end.
    expect(await connection.readToEnd()).toHaveLength(0);
  });

  test.each([
    ['sends refusal 7', 'exits', 'process.exit()', frame(3, Buffer.of(7))],
    ['sends nothing', 'is killed', "process.kill(process.pid, 'SIGKILL')", EMPTY],
  ])('%s when its process %s', async (_, __, end, expected) => {
    const program = run(process.execPath, ['--input-type=module', '-e', endingHost(end)]);
    const { endpoint } = await program.line('host');
    const connection = await RawConnection.open({ endpoint: String(endpoint) });
    expect(await connection.launch(launchFrame('1', WAITS))).toMatchObject({ kind: 2 });
    expect(await connection.readToEnd()).toEqual(expected);
  });

  test('resets a client that does not end after refusal 3', async () => {
    const { connection } = await openSession();
    connection.write(u32(0));
    expectRefusal(await readFrame(connection), 3);
    expect(await connection.readToEnd()).toHaveLength(0);
    expect(connection.isReset).toBe(true);
  });

  test('keeps a client that has its result longer than one that has only a receipt, and discards what it sends', async () => {
    const { app, connection } = await openSession((client) => client.exit(3));
    await expectNext(connection, 'exit');
    const other = await RawConnection.open(app);
    await other.launch(launchFrame('1'));
    expect(await other.readToEnd()).toHaveLength(0);
    expect(other.isReset).toBe(true);
    connection.write(u32(0));
    connection.end(launchFrame('1'));
    expect(await connection.readToEnd()).toHaveLength(0);
    expect(connection.isReset).toBe(false);
  });

  test('resets a new connection while all others wait at maxConnections, and closes one that has its result', async () => {
    const { app, connection, client } = await openSession(() => work, { maxConnections: 1 });
    const second = await RawConnection.open(app);
    expect(await second.readToEnd()).toHaveLength(0);
    expect(second.isReset).toBe(true);
    client.exit(4);
    expect(await readFrame(connection)).toEqual({ kind: 5, body: Buffer.of(4) });
    const third = await RawConnection.open(app);
    expect(await connection.readToEnd()).toHaveLength(0);
    expect(await third.launch(launchFrame('1'))).toMatchObject({ kind: 2 });
  });
});

describe('a client of a session, written from docs/protocol.md,', () => {
  const input = Buffer.alloc(700_000, 'to and fro, ');

  function expectEcho([output, kind, body]: readonly [Buffer, number, Buffer]): void {
    expect([output.length, output.equals(input), kind, String(body)]).toEqual([700_000, true, 4, '{"done":true}']);
  }

  test.each([
    ['without a secret', undefined],
    ['with a secret', SECRET],
  ])('sends 700,000 bytes to a host %s, and receives them back and the reply', async (_, secret) => {
    const { app } = await startHostWith(
      async (client) => {
        for await (const chunk of client.stdin) if (!client.stdout.write(chunk)) await once(client.stdout, 'drain');
        client.reply({ done: true });
      },
      { secret },
    );
    const connection = await RawConnection.open(app);
    if (secret === undefined) {
      expect(await connection.launch(launchFrame('1', WAITS))).toMatchObject({ kind: 2 });
      expectEcho(await sendStdin(connection, input));
      connection.end();
    } else {
      const channel = await SecureConnection.open(connection, clientHello({ flags: 1 }), secret);
      channel.write(launchFrame('1', WAITS));
      expect(await readFrame(channel)).toMatchObject({ kind: 2 });
      expectEcho(await sendStdin(channel, input));
      channel.end();
    }
    // The host sends no end record.
    expect(await connection.readToEnd()).toHaveLength(0);
  });
});

describe('Singleton.send(), with wait,', () => {
  test('sends the bytes of the session example, and closes first', async () => {
    const launched = await sendTo(async (connection, launch) => {
      const cwd = Buffer.from(process.cwd());
      const head = Buffer.concat([Buffer.of(WAITS), u32(process.pid), u32(cwd.length).subarray(2)]);
      expect(launch).toEqual({ kind: 1, body: Buffer.concat([head, cwd, u32(0), Buffer.from(JSON.stringify(ARGS))]) });
      connection.write(Buffer.concat([example('receipt'), example('window update')]));
      await expectNext(connection, 'stdin');
      await expectNext(connection, 'end of stdin');
      connection.write(Buffer.concat([example('stdout'), example('stderr'), example('reply')]));
      expect(await connection.readToEnd()).toHaveLength(0);
    });
    expect(launched).toMatchObject({ outcome: 'delivered', client: 1, reply: { bytes: 6 }, exitCode: 0 });
    expect(launched).toMatchObject({ stdout: 'saved\n', stderr: 'line 3 is new\n' });
  });

  test('resolves to the exit status of the example', async () => {
    const launched = await sendTo((connection) =>
      connection.write(Buffer.concat([example('receipt'), example('exit')])),
    );
    expect(launched).toMatchObject({ exitCode: 3 });
    expect(launched).not.toHaveProperty('reply');
  });

  test('sends no more stdin than its credit, then the end of stdin', async () => {
    const source = new PassThrough();
    source.write(DRAFT);
    const launched = await sendTo(
      async (connection) => {
        connection.write(Buffer.concat([example('receipt'), frame(9, u32(2))]));
        expect(await readFrame(connection)).toEqual({ kind: 8, body: DRAFT.subarray(0, 2) });
        connection.write(Buffer.concat([frame(9, u32(1)), frame(9, u32(3))]));
        expect(await readFrame(connection)).toEqual({ kind: 8, body: DRAFT.subarray(2, 3) });
        expect(await readFrame(connection)).toEqual({ kind: 8, body: DRAFT.subarray(3) });
        // The credit is used up, so the end waits for more credit, and uses none of it.
        source.end();
        connection.write(frame(9, u32(1)));
        expect(await readFrame(connection)).toEqual({ kind: 8, body: EMPTY });
        connection.write(example('exit'));
        expect(await connection.readToEnd()).toHaveLength(0);
      },
      { stdin: source },
    );
    expect(launched).toMatchObject({ exitCode: 3 });
  });

  test('sends at most 65,536 bytes of stdin in one frame', async () => {
    const launched = await sendTo(
      async (connection) => {
        connection.write(Buffer.concat([example('receipt'), example('window update')]));
        expect((await readFrame(connection)).body).toHaveLength(65_536);
        expect((await readFrame(connection)).body).toHaveLength(1);
        connection.write(example('exit'));
      },
      { stdin: Readable.from([Buffer.alloc(65_537)]) },
    );
    expect(launched).toMatchObject({ exitCode: 3 });
  });

  test('accepts a frame length of 65,537, or of its maxMessageBytes if that is more', async () => {
    const output = Buffer.alloc(65_536, 'x');
    const answer = Buffer.concat([example('receipt'), frame(6, output), example('exit')]);
    const allowed = await sendTo((connection) => connection.write(answer), { maxMessageBytes: 200 });
    expect(allowed).toMatchObject({ exitCode: 3, stdout: output.toString() });
    const longer = Buffer.concat([example('receipt'), u32(65_538)]);
    const refused = await sendTo((wire) => wire.write(longer), { maxMessageBytes: 200 });
    expect(refused).toMatchObject(failedAs('MESSAGE_TOO_LARGE'));
    const reply = Buffer.concat([example('receipt'), frame(4, Buffer.from(`"${'x'.repeat(99_997)}"`))]);
    const replied = await sendTo((connection) => connection.write(reply), { maxMessageBytes: 100_000 });
    expect(replied).toMatchObject({ reply: 'x'.repeat(99_997) });
  });

  test('rejects a length over 65,537 when it does not wait either', async () => {
    const options = { wait: false, maxMessageBytes: 200 };
    const receipt = example('receipt');
    const fields = frame(200, Buffer.alloc(65_536));
    expect(await sendTo((wire) => wire.write(Buffer.concat([fields, receipt])), options)).toMatchObject({ client: 1 });
    const refused = await sendTo((wire) => wire.write(u32(65_538)), options);
    expect(refused).toMatchObject(failedAs('MESSAGE_TOO_LARGE'));
  });

  test.each([
    ['a launch', launchFrame('1')],
    ['a second receipt', example('receipt')],
    ['stdin', frame(8, EMPTY)],
    ['kind 0', frame(0, EMPTY)],
    ['a request for the status', frame(10, EMPTY)],
    ['kind 16', frame(16, EMPTY)],
    ['refusal 1', frame(3, Buffer.of(1))],
    ['refusal 2', frame(3, Buffer.of(2))],
    ['refusal 4', frame(3, Buffer.of(4))],
    ['refusal 5', frame(3, Buffer.of(5))],
    ['refusal 8', frame(3, Buffer.of(8))],
    ['a refusal with an incomplete field', frame(3, Buffer.of(7, 7))],
    ['an exit of no byte', frame(5, EMPTY)],
    ['an exit of 2 bytes', frame(5, Buffer.of(0, 0))],
    ['a window update of 3 bytes', frame(9, Buffer.alloc(3))],
    ['a reply that is not JSON', frame(4, Buffer.from('{'))],
    ['a length of 0', u32(0)],
  ])('rejects and closes when %s follows the receipt', async (_, bytes) => {
    const launched = await sendTo(async (connection) => {
      connection.write(Buffer.concat([example('receipt'), bytes]));
      expect(await connection.readToEnd()).toHaveLength(0);
    });
    expect(launched).toMatchObject(failedAs('MALFORMED_MESSAGE'));
  });

  test.each([
    [6, 'LISTENER_FAILED'],
    [7, 'RELEASED'],
  ])('rejects with the code of refusal %i when it follows the receipt', async (reason, code) => {
    const launched = await sendTo(async (connection) => {
      connection.write(Buffer.concat([example('receipt'), example('stdout'), frame(3, Buffer.of(reason))]));
      expect(await connection.readToEnd()).toHaveLength(0);
    });
    expect(launched).toMatchObject({ code: `ERR_SINGLETON_${code}`, stdout: 'saved\n' });
    expect(String(launched.error)).toContain('sent no result');
  });

  test.each([
    ['refusal 6', frame(3, Buffer.of(6))],
    ['refusal 7', frame(3, Buffer.of(7))],
    ['stdout', example('stdout')],
    ['exit', example('exit')],
  ])('rejects when %s arrives instead of the receipt', async (_, bytes) => {
    expect(await sendTo((wire) => wire.write(bytes))).toMatchObject(failedAs('MALFORMED_MESSAGE'));
  });

  test('rejects and does not retry when the host ends without a result', async () => {
    const launched = await sendTo((connection) =>
      connection.end(Buffer.concat([example('receipt'), example('stdout')])),
    );
    expect(launched).toMatchObject({ code: 'ERR_SINGLETON_CONNECTION_FAILED', stdout: 'saved\n' });
  });

  test('closes the connection when the time of wait expires', async () => {
    const launched = await sendTo(
      async (connection) => {
        connection.write(example('receipt'));
        expect(await connection.readToEnd()).toHaveLength(0);
      },
      { wait: 50 },
    );
    expect(launched).toMatchObject({ code: 'ERR_SINGLETON_HOST_UNRESPONSIVE' });
  });
});

/** The launch was sent, so that its code does not promise that it was not dispatched. */
function failedAs(code: string): object {
  return {
    code: 'ERR_SINGLETON_CONNECTION_FAILED',
    error: { cause: { code: `ERR_SINGLETON_${code}` } },
  };
}

/** A listener returns it to stay at work. */
const work = new Promise<never>(() => {});

/** A host with one `args` listener, and a promise of the first client. */
async function startHostWith(listener: (client: Client) => unknown, options: HostOptions = {}) {
  const app = await acquire(options);
  const warnings: SingletonError[] = [];
  app.on('warning', (warning) => warnings.push(warning));
  const firstClient = new Promise<Client>((resolve) => {
    app.on('args', (_, client) => {
      resolve(client);
      return listener(client);
    });
  });
  return { app, warnings, firstClient };
}

/** A session, after the receipt, with a client that is written from the document. */
async function openSession(listener: (client: Client) => unknown = () => work, options: HostOptions = {}) {
  const { app, warnings, firstClient } = await startHostWith(listener, options);
  const connection = await RawConnection.open(app);
  expect(await connection.launch(launchFrame('1', WAITS))).toMatchObject({ kind: 2 });
  return { app, connection, warnings, client: await firstClient };
}

function stdin(size: number): Buffer {
  const bodies = Array.from({ length: Math.ceil(size / 65_536) }, (_, index) => {
    return frame(8, Buffer.alloc(Math.min(65_536, size - index * 65_536)));
  });
  return Buffer.concat(bodies);
}

async function aborted({ signal }: Client): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}

async function expectNext(connection: ByteReader, name: string): Promise<void> {
  const expected = example(name);
  expect((await connection.read(expected.length)).toString('hex')).toBe(expected.toString('hex'));
}

/** Sends an input as its credit allows; resolves to the output, and to kind and body of the result. */
async function sendStdin(
  connection: ByteReader & { write(bytes: Buffer): void },
  input: Buffer,
): Promise<readonly [Buffer, number, Buffer]> {
  const output: Buffer[] = [];
  let [sent, credit, hasEnded] = [0, 0, false];
  for (;;) {
    const { kind, body } = await readFrame(connection);
    if (kind === 6) output.push(body);
    else if (kind !== 9) return [Buffer.concat(output), kind, body];
    else credit += body.readUInt32BE();
    while (sent < Math.min(credit, input.length)) {
      const part = input.subarray(sent, Math.min(sent + 65_536, credit));
      connection.write(frame(8, part));
      sent += part.length;
    }
    if (sent === input.length && !hasEnded) connection.write(frame(8, EMPTY));
    hasEnded = sent === input.length;
  }
}

/** A program that is the host, and ends after its first receipt. */
function endingHost(end: string): string {
  return `
    import { Singleton } from ${built('index')};
    import { json } from ${built('codecs/json')};
    const app = await Singleton.acquire({ port: 0, name: 'notes', codec: json(), args: null });
    app.on('args', () => new Promise(() => setImmediate(() => ${end})));
    console.log(JSON.stringify({ event: 'host', endpoint: app.endpoint }));
  `;
}

function built(name: string): string {
  return JSON.stringify(new URL(`../../dist/${name}.js`, import.meta.url));
}

type Launched = Record<string, unknown>;

/** One launch of this library, to a host that the test writes: its receipt or its error, and the output. */
async function sendTo(
  handler: (connection: RawConnection, launch: Awaited<ReturnType<typeof readFrame>>) => unknown,
  options: Partial<Pick<SendOptions, 'wait' | 'stdin' | 'maxMessageBytes'>> = {},
): Promise<Launched> {
  const { port, served } = await serve([
    async (connection) => {
      await connection.read(example('client hello').length);
      connection.write(example('host hello'));
      await handler(connection, await readFrame(connection));
    },
  ]);
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const outputs = Promise.all([stdout, stderr].map(buffer));
  const streams = { stdout, stderr, stdin: Readable.from([DRAFT]) };
  const shared = { port, name: 'notes', codec: json(), args: ARGS, wait: true };
  const result: Launched = await Singleton.send<unknown>({ ...shared, ...streams, ...options }).then(
    (receipt) => ({ ...receipt }),
    (error: SingletonError) => ({ code: error.code, error }),
  );
  stdout.end();
  stderr.end();
  await Promise.all(served);
  const [output, errors] = await outputs;
  return { ...result, stdout: String(output), stderr: String(errors) };
}
