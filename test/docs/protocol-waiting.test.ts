import { once } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { json } from '../../src/codecs/json.ts';
import { type Client, type SendOptions, Singleton, type SingletonError } from '../../src/index.ts';
import { frames } from '../../src/protocol/frames.ts';
import { encodeExit, encodeLaunch, encodeWindowUpdate, KIND } from '../../src/protocol/messages.ts';
import { run } from '../helpers/program.ts';
import { example, expectBytes } from '../helpers/wire-examples.ts';
import { acquire, type HostOptions } from '../helpers/wire-host.ts';
import {
  frame,
  NOTHING,
  opening,
  packed,
  play,
  SecuredWire,
  takeFrame,
  type Taken,
  u32,
  Wire,
} from '../helpers/wire.ts';

const SECRET = 'an example, not to be used';
const ARGS = { file: 'a.txt', line: 3 };
const DRAFT = Buffer.from('draft\n');
const WAITS = 1;

test('the examples of a launch that waits are what the source says', () => {
  const args = Buffer.from(JSON.stringify(ARGS));
  const launch = encodeLaunch({ args, cwd: '/home/ada', pid: 4242, wait: true });
  expectBytes('launch that waits', frames.encode(launch));
  expectBytes('pull', frames.encode(encodeWindowUpdate(262_144)));
  expectBytes('stdin', frames.encode({ kind: KIND.stdin, body: DRAFT }));
  expectBytes('end of stdin', frames.encode({ kind: KIND.stdin, body: NOTHING }));
  expectBytes('stdout', frames.encode({ kind: KIND.stdout, body: Buffer.from('saved\n') }));
  expectBytes('stderr', frames.encode({ kind: KIND.stderr, body: Buffer.from('line 3 is new\n') }));
  expectBytes('reply', frames.encode({ kind: KIND.reply, body: Buffer.from('{"bytes":6}') }));
  expectBytes('exit', frames.encode(encodeExit(3)));
});

describe('a real host', () => {
  test('answers the example of a launch that waits with its bytes', async () => {
    const app = await acquire({});
    app.on('args', async (_, client) => {
      const bytes = await buffer(client.stdin);
      client.stdout.write('saved\n');
      client.stderr.write('line 3 is new\n');
      client.reply({ bytes: bytes.length });
    });
    const wire = await Wire.to(app);
    const { kind, body } = await wire.launch(example('launch that waits'));
    expect([kind, body[0], body.readUInt32BE(1)]).toEqual([2, 1, 1]);
    await expectNext(wire, 'pull');
    wire.write(Buffer.concat([example('stdin'), example('end of stdin')]));
    for (const name of ['stdout', 'stderr', 'reply']) await expectNext(wire, name);
    wire.end();
    expect(await wire.rest()).toHaveLength(0);
  });

  test('ends it with status 3, without a pull, as in the example', async () => {
    const { wire } = await dialogue((client) => client.exit(3));
    await expectNext(wire, 'exit');
    wire.end();
    expect(await wire.rest()).toHaveLength(0);
  });

  test('cuts output into 65,536 raw bytes, whatever maxMessageBytes is, sends no empty one, and all before the last word', async () => {
    const output = Buffer.alloc(64 * 65_536 + 1, 'output');
    const { wire } = await dialogue(
      (client) => {
        client.stdout.write(output);
        client.stdout.write('');
        client.exit(0);
      },
      { maxMessageBytes: 100 },
    );
    for (let at = 0; at < output.length; at += 65_536) {
      const { kind, body } = await takeFrame(wire);
      expect([kind, body.equals(output.subarray(at, at + 65_536))]).toEqual([6, true]);
    }
    expect(await takeFrame(wire)).toEqual({ kind: 5, body: Buffer.of(0) });
  });

  test('sends no reply that is longer than its maxMessageBytes', async () => {
    const said: unknown[] = [];
    const { wire } = await dialogue(
      (client) => {
        for (const size of [98, 97]) said.push(attempt(() => client.reply('x'.repeat(size))));
      },
      { maxMessageBytes: 100 },
    );
    expect(await takeFrame(wire)).toEqual({ kind: 4, body: Buffer.from(`"${'x'.repeat(97)}"`) });
    expect(said).toEqual(['ERR_SINGLETON_MESSAGE_TOO_LARGE', true]);
  });

  test('pulls 262,144 bytes, and again when half of them have come', async () => {
    const { wire } = await dialogue(async (client) => client.reply((await buffer(client.stdin)).length));
    await expectNext(wire, 'pull');
    wire.write(Buffer.concat([frame(8, Buffer.alloc(65_535)), frame(8, Buffer.alloc(65_536))]));
    wire.write(frame(8, Buffer.of(1)));
    expect(await takeFrame(wire)).toEqual({ kind: 9, body: u32(131_072) });
    wire.write(Buffer.concat([stdin(262_144), frame(8, NOTHING)]));
    let answer = await takeFrame(wire);
    for (; answer.kind === 9; answer = await takeFrame(wire)) {
      expect(answer.body.readUInt32BE()).toBeGreaterThanOrEqual(131_072);
      expect(answer.body.readUInt32BE()).toBeLessThanOrEqual(262_144);
    }
    expect(answer).toEqual({ kind: 4, body: Buffer.from('393216') });
  });

  test.each([
    ['a byte of stdin that was not pulled', false, frame(8, Buffer.of(1))],
    ['a byte more than was pulled', true, stdin(262_145)],
    ['stdin behind its end', true, Buffer.concat([frame(8, NOTHING), frame(8, Buffer.of(1))])],
    ['a second end of stdin', true, Buffer.concat([frame(8, NOTHING), frame(8, NOTHING)])],
    ['another launch', true, packed('1', WAITS)],
    ['a reply', true, frame(4, Buffer.from('1'))],
    ['a pull', true, frame(9, u32(1))],
    ['kind 0', false, frame(0, NOTHING)],
    ['kind 10', false, frame(10, NOTHING)],
    ['a length of 0', false, u32(0)],
    ['a length of 65,538', true, u32(65_538)],
  ])('refuses %s with reason 3, and has no more to say', async (_, isPulled, bytes) => {
    const { wire, client, warnings } = await dialogue((one) => {
      if (isPulled) one.stdin.read(0);
      return work;
    });
    if (isPulled) await expectNext(wire, 'pull');
    wire.write(bytes);
    expect(await takeFrame(wire)).toEqual({ kind: 3, body: Buffer.of(3) });
    expect([client.signal.aborted, client.exit(0), warnings.length]).toEqual([true, false, 1]);
    wire.end(frame(8, Buffer.of(1)));
    expect(await wire.rest()).toHaveLength(0);
    expect(wire.isReset).toBe(false);
  });

  test('takes 262,144 bytes that it has pulled', async () => {
    const { wire, client } = await dialogue((one) => {
      one.stdin.read(0);
      return work;
    });
    await expectNext(wire, 'pull');
    wire.write(Buffer.concat([stdin(262_144), frame(8, NOTHING)]));
    expect(await buffer(client.stdin)).toHaveLength(262_144);
    expect(client.exit(0)).toBe(true);
  });

  test.each([
    ['ends', (wire: Wire) => wire.end()],
    ['ends in the middle of a frame', (wire: Wire) => wire.end(frame(8, Buffer.of(1)).subarray(0, -1))],
    ['resets', (wire: Wire) => wire.reset()],
  ])('knows that a launch is gone that %s before the last word, and ends without one', async (_, leave) => {
    const { wire, client, warnings } = await dialogue();
    leave(wire);
    await aborted(client);
    expect([client.stdout.destroyed, client.exit(0), warnings]).toEqual([true, false, []]);
    expect(await wire.rest()).toHaveLength(0);
  });

  test.each<[string, (channel: SecuredWire, wire: Wire) => void]>([
    ['an empty record', (channel) => channel.end()],
    ['a FIN without an empty record', (_, wire) => wire.end()],
    ['a record that does not decrypt', (_, wire) => wire.write(Buffer.concat([Buffer.of(0, 16), Buffer.alloc(16)]))],
    ['a record that is too short', (_, wire) => wire.write(Buffer.of(0, 15))],
  ])('with a secret closes without a word at %s before the last word', async (_, leave) => {
    const { app, coming } = await hosting(() => work, { secret: SECRET });
    const wire = await Wire.to(app);
    const channel = await SecuredWire.open(wire, opening({ flags: 1 }), SECRET);
    channel.write(packed('1', WAITS));
    expect(await takeFrame(channel)).toMatchObject({ kind: 2 });
    leave(channel, wire);
    await aborted(await coming);
    expect(await wire.rest()).toHaveLength(0);
  });

  test('does not run a launch that has gone before anybody took it', async () => {
    const app = await acquire({});
    const counted = new Promise<Client>((resolve) => app.once('client', resolve));
    const wire = await Wire.to(app);
    await wire.launch(packed('"gone"', WAITS));
    wire.end();
    await aborted(await counted);
    await (await Wire.to(app)).converse(packed('"there"'));
    const [args] = await once(app, 'args');
    expect(args).toBe('there');
  });

  test('refuses with reason 4, and no other word, what it has no room for', async () => {
    const app = await acquire({ maxPending: 1 });
    app.on('client', (client) => client.exit(5));
    await (await Wire.to(app)).converse(packed('1'));
    expect(await (await Wire.to(app)).converse(packed('1', WAITS))).toEqual({ kind: 3, body: Buffer.of(4) });
  });

  test('refuses with reason 3 stdin that comes before the receipt', async () => {
    const app = await acquire({});
    const launch = Buffer.concat([packed('1', WAITS), frame(8, NOTHING)]);
    expect(await (await Wire.to(app)).converse(launch)).toEqual({ kind: 3, body: Buffer.of(3) });
    expect(app.clients).toBe(0);
  });

  test('says a last word, 0 where it has nothing to say, whatever the outcome', async () => {
    const app = await acquire({ maxClients: 1, releaseThreshold: 3 });
    app.on('args', () => {});
    for (const outcome of [1, 2, 3]) {
      const wire = await Wire.to(app);
      expect((await wire.launch(packed('1', WAITS))).body[0]).toBe(outcome);
      expect(await takeFrame(wire)).toEqual({ kind: 5, body: Buffer.of(0) });
      wire.end();
      expect(await wire.rest()).toHaveLength(0);
    }
  });

  test('says refusal 6 behind all output where a listener has failed', async () => {
    const { app, coming } = await hosting((client) => client.stdout.write('written'));
    app.trace(() => Promise.reject(new Error('boom')));
    const wire = await Wire.to(app);
    await wire.launch(packed('1', WAITS));
    expect(await takeFrame(wire)).toEqual({ kind: 6, body: Buffer.from('written') });
    expect(await takeFrame(wire)).toEqual({ kind: 3, body: Buffer.of(6) });
    expect((await coming).signal.aborted).toBe(false);
  });

  test('that is released says refusal 7 a second later, then closes; who has the last word is closed at once', async () => {
    const { app, wire, client } = await dialogue();
    const answered = await Wire.to(app);
    app.removeAllListeners('args').on('args', (_, other) => other.exit(1));
    await answered.launch(packed('1', WAITS));
    expect(await takeFrame(answered)).toEqual({ kind: 5, body: Buffer.of(1) });

    void app.release();
    expect(await answered.rest()).toHaveLength(0);
    expect(await takeFrame(wire)).toEqual({ kind: 3, body: Buffer.of(7) });
    expect(client.signal.aborted).toBe(true);
    // The client does not end.
    expect(await wire.rest()).toHaveLength(0);
  });

  test.each([
    ['exits says refusal 7', 'process.exit()', frame(3, Buffer.of(7))],
    ['is killed says nothing', "process.kill(process.pid, 'SIGKILL')", NOTHING],
  ])('that %s', async (_, end, expected) => {
    const program = run(process.execPath, ['--input-type=module', '-e', leavingHost(end)]);
    const { endpoint } = await program.line('host');
    const wire = await Wire.to({ endpoint: String(endpoint) });
    expect(await wire.launch(packed('1', WAITS))).toMatchObject({ kind: 2 });
    expect(await wire.rest()).toEqual(expected);
  });

  test('resets a second later who got refusal 3 and does not end', async () => {
    const { wire } = await dialogue();
    wire.write(u32(0));
    expect(await takeFrame(wire)).toEqual({ kind: 3, body: Buffer.of(3) });
    expect(await wire.rest()).toHaveLength(0);
    expect(wire.isReset).toBe(true);
  });

  test('keeps who has the last word, longer than who has a receipt only, and discards what it sends', async () => {
    const { app, wire } = await dialogue((client) => client.exit(3));
    await expectNext(wire, 'exit');
    const other = await Wire.to(app);
    await other.launch(packed('1'));
    expect(await other.rest()).toHaveLength(0);
    expect(other.isReset).toBe(true);
    wire.write(u32(0));
    wire.end(packed('1'));
    expect(await wire.rest()).toHaveLength(0);
    expect(wire.isReset).toBe(false);
  });

  test('with no room left resets the next one while all wait, and closes who has the last word', async () => {
    const { app, wire, client } = await dialogue(() => work, { maxConnections: 1 });
    const second = await Wire.to(app);
    expect(await second.rest()).toHaveLength(0);
    expect(second.isReset).toBe(true);
    client.exit(4);
    expect(await takeFrame(wire)).toEqual({ kind: 5, body: Buffer.of(4) });
    const third = await Wire.to(app);
    expect(await wire.rest()).toHaveLength(0);
    expect(await third.launch(packed('1'))).toMatchObject({ kind: 2 });
  });
});

describe('a client that knows nothing but the document', () => {
  const input = Buffer.alloc(700_000, 'to and fro, ');

  function expectEcho([output, kind, body]: readonly [Buffer, number, Buffer]): void {
    expect([output.length, output.equals(input), kind, String(body)]).toEqual([700_000, true, 4, '{"done":true}']);
  }

  test.each([
    ['without a secret', undefined],
    ['with a secret', SECRET],
  ])('gives a host %s 700,000 bytes, gets them back and the reply', async (_, secret) => {
    const { app } = await hosting(
      async (client) => {
        for await (const chunk of client.stdin) if (!client.stdout.write(chunk)) await once(client.stdout, 'drain');
        client.reply({ done: true });
      },
      { secret },
    );
    const wire = await Wire.to(app);
    if (secret === undefined) {
      expect(await wire.launch(packed('1', WAITS))).toMatchObject({ kind: 2 });
      expectEcho(await pump(wire, input));
      wire.end();
    } else {
      const channel = await SecuredWire.open(wire, opening({ flags: 1 }), secret);
      channel.write(packed('1', WAITS));
      expect(await takeFrame(channel)).toMatchObject({ kind: 2 });
      expectEcho(await pump(channel, input));
      channel.end();
    }
    // The host sends no empty record.
    expect(await wire.rest()).toHaveLength(0);
  });
});

describe('a real client', () => {
  test('plays its part of the example, and closes first', async () => {
    const launched = await sendTo(async (wire, launch) => {
      const cwd = Buffer.from(process.cwd());
      const head = Buffer.concat([Buffer.of(WAITS), u32(process.pid), u32(cwd.length).subarray(2)]);
      expect(launch).toEqual({ kind: 1, body: Buffer.concat([head, cwd, Buffer.from(JSON.stringify(ARGS))]) });
      wire.write(Buffer.concat([example('receipt'), example('pull')]));
      await expectNext(wire, 'stdin');
      await expectNext(wire, 'end of stdin');
      wire.write(Buffer.concat([example('stdout'), example('stderr'), example('reply')]));
      expect(await wire.rest()).toHaveLength(0);
    });
    expect(launched).toMatchObject({ outcome: 'delivered', client: 1, reply: { bytes: 6 }, exitCode: 0 });
    expect(launched).toMatchObject({ stdout: 'saved\n', stderr: 'line 3 is new\n' });
  });

  test('has the status of the example', async () => {
    const launched = await sendTo((wire) => wire.write(Buffer.concat([example('receipt'), example('exit')])));
    expect(launched).toMatchObject({ exitCode: 3 });
    expect(launched).not.toHaveProperty('reply');
  });

  test('sends no more of its stdin than was pulled, then its end', async () => {
    const source = new PassThrough();
    source.write(DRAFT);
    const launched = await sendTo(
      async (wire) => {
        wire.write(Buffer.concat([example('receipt'), frame(9, u32(2))]));
        expect(await takeFrame(wire)).toEqual({ kind: 8, body: DRAFT.subarray(0, 2) });
        wire.write(Buffer.concat([frame(9, u32(1)), frame(9, u32(3))]));
        expect(await takeFrame(wire)).toEqual({ kind: 8, body: DRAFT.subarray(2, 3) });
        expect(await takeFrame(wire)).toEqual({ kind: 8, body: DRAFT.subarray(3) });
        // All that was pulled is used, so the end waits for more, and takes nothing of it.
        source.end();
        wire.write(frame(9, u32(1)));
        expect(await takeFrame(wire)).toEqual({ kind: 8, body: NOTHING });
        wire.write(example('exit'));
        expect(await wire.rest()).toHaveLength(0);
      },
      { stdin: source },
    );
    expect(launched).toMatchObject({ exitCode: 3 });
  });

  test('sends 65,536 bytes of stdin at most in one', async () => {
    const launched = await sendTo(
      async (wire) => {
        wire.write(Buffer.concat([example('receipt'), example('pull')]));
        expect((await takeFrame(wire)).body).toHaveLength(65_536);
        expect((await takeFrame(wire)).body).toHaveLength(1);
        wire.write(example('exit'));
      },
      { stdin: Readable.from([Buffer.alloc(65_537)]) },
    );
    expect(launched).toMatchObject({ exitCode: 3 });
  });

  test('allows 65,537 where its maxMessageBytes is less, and else that', async () => {
    const output = Buffer.alloc(65_536, 'x');
    const answer = Buffer.concat([example('receipt'), frame(6, output), example('exit')]);
    const allowed = await sendTo((wire) => wire.write(answer), { maxMessageBytes: 200 });
    expect(allowed).toMatchObject({ exitCode: 3, stdout: output.toString() });
    const longer = Buffer.concat([example('receipt'), u32(65_538)]);
    const refused = await sendTo((wire) => wire.write(longer), { maxMessageBytes: 200 });
    expect(refused).toMatchObject({ code: 'ERR_SINGLETON_MESSAGE_TOO_LARGE' });
    const reply = Buffer.concat([example('receipt'), frame(4, Buffer.from(`"${'x'.repeat(99_997)}"`))]);
    const replied = await sendTo((wire) => wire.write(reply), { maxMessageBytes: 100_000 });
    expect(replied).toMatchObject({ reply: 'x'.repeat(99_997) });
  });

  test('that does not wait allows 64', async () => {
    const refused = await sendTo((wire) => wire.write(u32(65)), { wait: false });
    expect(refused).toMatchObject({ code: 'ERR_SINGLETON_MESSAGE_TOO_LARGE' });
  });

  test.each([
    ['a launch', packed('1')],
    ['a second receipt', example('receipt')],
    ['stdin', frame(8, NOTHING)],
    ['kind 0', frame(0, NOTHING)],
    ['kind 10', frame(10, NOTHING)],
    ['refusal 1', frame(3, Buffer.of(1))],
    ['refusal 2', frame(3, Buffer.of(2))],
    ['refusal 4', frame(3, Buffer.of(4))],
    ['refusal 5', frame(3, Buffer.of(5))],
    ['refusal 8', frame(3, Buffer.of(8))],
    ['a refusal of 2 bytes', frame(3, Buffer.of(7, 7))],
    ['an exit of no byte', frame(5, NOTHING)],
    ['an exit of 2 bytes', frame(5, Buffer.of(0, 0))],
    ['a pull of 3 bytes', frame(9, Buffer.alloc(3))],
    ['a reply that is not JSON', frame(4, Buffer.from('{'))],
    ['a length of 0', u32(0)],
  ])('fails and closes at %s behind the receipt', async (_, bytes) => {
    const launched = await sendTo(async (wire) => {
      wire.write(Buffer.concat([example('receipt'), bytes]));
      expect(await wire.rest()).toHaveLength(0);
    });
    expect(launched).toMatchObject({ code: 'ERR_SINGLETON_MALFORMED_MESSAGE' });
  });

  test.each([
    [3, 'MALFORMED_MESSAGE'],
    [6, 'OBSERVER_FAILED'],
    [7, 'RELEASED'],
  ])('takes refusal %i behind the receipt for the last word', async (reason, code) => {
    const launched = await sendTo(async (wire) => {
      wire.write(Buffer.concat([example('receipt'), example('stdout'), frame(3, Buffer.of(reason))]));
      expect(await wire.rest()).toHaveLength(0);
    });
    expect(launched).toMatchObject({ code: `ERR_SINGLETON_${code}`, stdout: 'saved\n' });
    expect(String(launched.error)).toContain('gave no answer');
  });

  test.each([
    ['refusal 6', frame(3, Buffer.of(6))],
    ['refusal 7', frame(3, Buffer.of(7))],
    ['stdout', example('stdout')],
    ['exit', example('exit')],
  ])('fails at %s instead of the receipt', async (_, bytes) => {
    expect(await sendTo((wire) => wire.write(bytes))).toMatchObject({ code: 'ERR_SINGLETON_MALFORMED_MESSAGE' });
  });

  test('fails, and sends nothing again, where the host ends without a last word', async () => {
    const launched = await sendTo((wire) => wire.end(Buffer.concat([example('receipt'), example('stdout')])));
    expect(launched).toMatchObject({ code: 'ERR_SINGLETON_CONNECTION_FAILED', stdout: 'saved\n' });
  });

  test('closes when the time of wait is over', async () => {
    const launched = await sendTo(
      async (wire) => {
        wire.write(example('receipt'));
        expect(await wire.rest()).toHaveLength(0);
      },
      { wait: 50 },
    );
    expect(launched).toMatchObject({ code: 'ERR_SINGLETON_HOST_UNRESPONSIVE' });
  });
});

/** What a listener returns that stays at work. */
const work = new Promise<never>(() => {});

/** A host whose listener does something with its clients, and the first of them. */
async function hosting(listener: (client: Client) => unknown, options: HostOptions = {}) {
  const app = await acquire(options);
  const warnings: SingletonError[] = [];
  app.on('warning', (warning) => warnings.push(warning));
  const coming = new Promise<Client>((resolve) => {
    app.on('args', (_, client) => {
      resolve(client);
      return listener(client);
    });
  });
  return { app, warnings, coming };
}

/** A launch that waits, of a client that knows the document, behind its receipt. */
async function dialogue(listener: (client: Client) => unknown = () => work, options: HostOptions = {}) {
  const { app, warnings, coming } = await hosting(listener, options);
  const wire = await Wire.to(app);
  expect(await wire.launch(packed('1', WAITS))).toMatchObject({ kind: 2 });
  return { app, wire, warnings, client: await coming };
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

function attempt(call: () => boolean): unknown {
  try {
    return call();
  } catch (error) {
    return error instanceof Error && 'code' in error ? error.code : error;
  }
}

async function expectNext(wire: Taken, name: string): Promise<void> {
  const expected = example(name);
  expect((await wire.take(expected.length)).toString('hex')).toBe(expected.toString('hex'));
}

/** Sends what is pulled of an input; resolves to the output and the last word, when that comes. */
async function pump(
  wire: Taken & { write(bytes: Buffer): void },
  input: Buffer,
): Promise<readonly [Buffer, number, Buffer]> {
  const output: Buffer[] = [];
  let [sent, pulled, hasEnded] = [0, 0, false];
  for (;;) {
    const { kind, body } = await takeFrame(wire);
    if (kind === 6) output.push(body);
    else if (kind !== 9) return [Buffer.concat(output), kind, body];
    else pulled += body.readUInt32BE();
    while (sent < Math.min(pulled, input.length)) {
      const part = input.subarray(sent, Math.min(sent + 65_536, pulled));
      wire.write(frame(8, part));
      sent += part.length;
    }
    if (sent === input.length && !hasEnded) wire.write(frame(8, NOTHING));
    hasEnded = sent === input.length;
  }
}

/** A program that is host, and ends when it has given a receipt. */
function leavingHost(end: string): string {
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

/** A launch of this library, to a host of the test's own, once: its receipt or its error, and what it got. */
async function sendTo(
  scene: (wire: Wire, launch: Awaited<ReturnType<typeof takeFrame>>) => unknown,
  options: Partial<Pick<SendOptions, 'wait' | 'stdin' | 'maxMessageBytes'>> = {},
): Promise<Launched> {
  const { port, played } = await play([
    async (wire) => {
      await wire.take(example('preface').length);
      wire.write(example('hello'));
      await scene(wire, await takeFrame(wire));
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
  await Promise.all(played);
  const [said, complained] = await outputs;
  return { ...result, stdout: String(said), stderr: String(complained) };
}
