import { describe, expect, onTestFinished, test } from 'vitest';
import { json } from '../../src/codecs/json.ts';
import { Singleton, type VerifyFailure } from '../../src/index.ts';
import { frames } from '../../src/protocol/frames.ts';
import { encodeClientHello, encodeHostHello, STATUS } from '../../src/protocol/hello.ts';
import { encode } from '../../src/protocol/legacy/message.ts';
import { encodeLaunch } from '../../src/protocol/launch.ts';
import { encodeReceipt, encodeRefusal, encodeStatus, KIND } from '../../src/protocol/messages.ts';
import { pskOf } from '../../src/protocol/secure/handshake.ts';
import { type CipherState, Handshake } from '../../src/protocol/secure/noise.ts';
import { agree, countingKey, publicOf, traceHandshake } from '../helpers/vectors/noise-trace.ts';
import { example, expectBytes, messages } from '../helpers/wire-examples.ts';
import { acquire, startHost } from '../helpers/wire-host.ts';
import {
  frame,
  MAGIC,
  EMPTY,
  clientHello,
  expectRefusal,
  launchFrame,
  serve,
  SecureConnection,
  readFrame,
  u32,
  RawConnection,
} from '../helpers/wire.ts';

const SECRET = 'an example, not to be used';
const ARGS = { file: 'a.txt', line: 3 };

describe('the examples of docs/protocol.md', () => {
  const sent = { args: Buffer.from(JSON.stringify(ARGS)), cwd: '/home/ada', pid: 4242 };
  const received = { outcome: 'delivered', client: 1, pid: 4711, since: Date.UTC(2026, 0, 1) } as const;
  const launch = frames.encode(encodeLaunch(sent));
  const receipt = frames.encode(encodeReceipt(received));

  test('appear in a test without exception', () => {
    expect(Array.from(messages.keys())).toEqual([
      'legacy',
      'legacy with a secret',
      'legacy, empty',
      'client hello',
      'host hello',
      'launch',
      'receipt',
      'launch with fields',
      'receipt with a version',
      'status request',
      'status',
      'refusal',
      'launch that waits',
      'window update',
      'stdin',
      'end of stdin',
      'stdout',
      'stderr',
      'reply',
      'exit',
      'psk',
      'secured client hello',
      'h after the prologue',
      'ck after psk',
      'temp_h after psk',
      'h after psk',
      'k after psk',
      "h after the client's e",
      "ck after the client's e",
      "k after the client's e",
      'first handshake message',
      'h after message 1',
      'secured host hello',
      "h after the host's e",
      "ck after the host's e",
      "k after the host's e",
      'shared secret of ee',
      'ck after ee',
      'k after ee',
      'second handshake message',
      'handshake hash',
      'key of client → host',
      'key of host → client',
      'record of the launch',
      'record of the receipt',
      'end record',
    ]);
  });

  test('have the bytes of the legacy encoder', () => {
    expectBytes('legacy', encode(['open', 'a.txt']));
    expectBytes('legacy with a secret', encode(['sesame', 'open', 'a.txt']));
    expectBytes('legacy, empty', encode([]));
  });

  test('have the bytes of the structured encoders without a secret', () => {
    expectBytes('client hello', documentedHello({ isSecured: false }));
    expectBytes('host hello', encodeHostHello(STATUS.ok));
    expectBytes('launch', launch);
    expectBytes('receipt', receipt);
  });

  test('have the bytes of fields, of a status and of a refusal with a message', () => {
    const fields = { version: '1.4.0', env: { EDITOR: 'vi' } };
    expectBytes('launch with fields', frames.encode(encodeLaunch({ ...sent, ...fields })));
    expectBytes('receipt with a version', frames.encode(encodeReceipt({ ...received, version: '1.3.9' })));
    expectBytes('status request', frames.encode({ kind: KIND.statusRequest, body: EMPTY }));
    const { pid, since } = received;
    const counts = { clients: 3, pending: 0, sessions: 1 };
    expectBytes('status', frames.encode(encodeStatus({ pid, since, ...counts, version: '1.3.9', codecs: ['json'] })));
    const refusal = encodeRefusal('ERR_SINGLETON_MALFORMED_MESSAGE', 'Expected a launch.');
    expectBytes('refusal', frames.encode(refusal));
  });

  test('have the bytes of the handshake and its records with a secret', () => {
    const psk = pskOf(Buffer.from(SECRET));
    const prologue = documentedHello({ isSecured: true });
    const initiator = new Handshake({ role: 'initiator', psk, prologue, ephemeral: countingKey(0x01) });
    const responder = new Handshake({ role: 'responder', psk, prologue, ephemeral: countingKey(0x21) });
    expectBytes('psk', psk);
    expectBytes('secured client hello', prologue);
    expectBytes('secured host hello', encodeHostHello(STATUS.ok));
    expectBytes('first handshake message', initiator.write());
    expect(responder.tryRead(example('first handshake message'))).toHaveLength(0);
    expectBytes('second handshake message', responder.write(example('secured host hello')));
    expect(initiator.tryRead(example('second handshake message'))).toEqual(example('secured host hello'));

    const ours = initiator.split();
    const theirs = responder.split();
    expectBytes('handshake hash', ours.handshakeHash);
    expectBytes('handshake hash', theirs.handshakeHash);
    expectBytes('record of the launch', seal(ours.send, launch));
    expectBytes('record of the receipt', seal(theirs.send, receipt));
    expectBytes('end record', seal(ours.send, EMPTY));
  });

  test('have the values of the handshake after each step', () => {
    const [client, host] = [countingKey(0x01), countingKey(0x21)];
    const { steps, ...result } = traceHandshake({
      secret: SECRET,
      prologue: example('secured client hello'),
      clientPublic: publicOf(client),
      hostPublic: publicOf(host),
      dh: agree(client, publicOf(host)),
      hostHello: example('secured host hello'),
    });
    const [prologue, psk, clientKey, first, hostKey, ee] = steps.map(({ values }) => values);
    expectValues({ h: 'h after the prologue' }, prologue);
    expectValues({ ck: 'ck after psk', temp_h: 'temp_h after psk', h: 'h after psk', k: 'k after psk' }, psk);
    for (const [values, side] of [[clientKey, 'client'] as const, [hostKey, 'host'] as const])
      expectValues(
        { h: `h after the ${side}'s e`, ck: `ck after the ${side}'s e`, k: `k after the ${side}'s e` },
        values,
      );
    expectValues({ h: 'h after message 1' }, first);
    expectValues({ dh: 'shared secret of ee', ck: 'ck after ee', k: 'k after ee' }, ee);
    expectBytes('first handshake message', result.first);
    expectBytes('second handshake message', result.second);
    expectBytes('handshake hash', result.handshakeHash);
    expectBytes('key of client → host', result.clientToHost);
    expectBytes('key of host → client', result.hostToClient);
  });
});

describe('a Singleton as host', () => {
  test('accepts the legacy example, sends no byte and ends last', async () => {
    const app = await Singleton.acquire({ port: 0, secret: 'sesame' });
    onTestFinished(() => app.release());
    const launched = new Promise((resolve) => app.on('args', resolve));
    const connection = await RawConnection.open(app);
    connection.end(example('legacy with a secret'));
    expect(await launched).toEqual(['open', 'a.txt']);
    expect(await connection.readToEnd()).toHaveLength(0);
  });

  test.each([
    ['has another secret', 'other\0a\0'],
    ['lacks the secret', '\0'],
    ['lacks the last NUL', 'sesame\0a'],
    ['is not UTF-8', Buffer.from('736573616d6500ff00', 'hex')],
    ['has 65,537 parts', `sesame${'\0'.repeat(65_537)}`],
  ])('drops a legacy message that %s, and ends as if it had accepted it', async (_, message) => {
    const app = await Singleton.acquire({ port: 0, secret: 'sesame' });
    onTestFinished(() => app.release());
    const connection = await RawConnection.open(app);
    connection.end(Buffer.from(message));
    expect(await connection.readToEnd()).toHaveLength(0);
    expect([app.clients, connection.isReset]).toEqual([0, false]);
  });

  test('answers a structured client with status 2, discards what follows, and ends last', async () => {
    const app = await Singleton.acquire({ port: 0 });
    onTestFinished(() => app.release());
    const wire = await RawConnection.open(app);
    wire.write(MAGIC.subarray(0, 1));
    expect(await wire.read(12)).toEqual(Buffer.concat([MAGIC, Buffer.of(1, 2, 0, 0)]));
    wire.end(MAGIC.subarray(1));
    expect(await wire.readToEnd()).toHaveLength(0);
    expect([app.clients, wire.isReset]).toEqual([0, false]);
  });

  test.each([
    ['TLS', '\x16\x03\x01\0'],
    ['SSH', 'SSH-2.0-x\r\n'],
    ['HTTP', 'GET / HTTP/1.1\r\n'],
    ['HTTP by a method in lower case', 'patch / HTTP/1.1\r\n'],
    ['a message over maxMessageBytes', 'a'.repeat(1025)],
  ])('resets a legacy connection at once when it receives %s', async (_, bytes) => {
    const app = await Singleton.acquire({ port: 0, maxMessageBytes: 1024 });
    onTestFinished(() => app.release());
    const connection = await RawConnection.open(app);
    connection.write(Buffer.from(bytes));
    expect(await connection.readToEnd()).toHaveLength(0);
    expect(connection.isReset).toBe(true);
  });

  test('answers the example without a secret with its bytes, except for process id and time', async () => {
    const { app, launched } = await startHost({});
    const connection = await RawConnection.open(app);
    connection.write(example('client hello'));
    expect(await connection.read(12)).toEqual(example('host hello'));
    connection.write(example('launch'));
    const receipt = await connection.read(22);
    connection.end();
    expect(await connection.readToEnd()).toHaveLength(0);

    const documented = example('receipt');
    documented.writeUInt32BE(process.pid, 10);
    documented.writeDoubleBE(receipt.readDoubleBE(14), 14);
    expect(receipt).toEqual(documented);
    expect(await launched).toMatchObject({ args: ARGS, client: { number: 1, cwd: '/home/ada', pid: 4242 } });
  });

  test('closes without an answer when the example with a secret is replayed, and emits verifyFailed', async () => {
    const { app } = await startHost({ secret: SECRET });
    const failed = new Promise<VerifyFailure>((resolve) => app.on('verifyFailed', resolve));
    const connection = await RawConnection.open(app);
    connection.write(Buffer.concat([example('secured client hello'), example('first handshake message')]));
    expect(await connection.read(12)).toEqual(example('secured host hello'));
    expect(await connection.read(60)).not.toEqual(example('second handshake message'));
    connection.write(example('record of the launch'));
    expect(await connection.readToEnd()).toHaveLength(0);
    expect(await failed).toMatchObject({ reason: 'replayed-handshake' });
    expect(app.clients).toBe(0);
  });

  const wrong = Buffer.alloc(48, 9);
  test.each([
    ['another version before it reads on', 1, undefined, [MAGIC, Buffer.of(2)]],
    ['an unknown flag before it reads on', 7, undefined, [MAGIC, Buffer.of(1, 4)]],
    [
      'another application before it checks the codec',
      3,
      undefined,
      [clientHello({ codec: 'other', application: 'other' })],
    ],
    ['another codec, before the secret', 2, SECRET, [clientHello({ codec: 'other' })]],
    ['no secret if it has one', 4, SECRET, [clientHello({})]],
    ['a secret if it has none, before the handshake message arrives', 5, undefined, [clientHello({ flags: 1 })]],
    ['another secret', 6, SECRET, [clientHello({ flags: 1 }), wrong]],
    ['a legacy launch', 2, undefined, [example('legacy')]],
    ['a legacy launch, although it has a secret', 2, SECRET, [example('legacy')]],
  ])('answers %s with status %i, and discards what follows', async (_, status, secret, parts) => {
    const { app } = await startHost({ secret });
    const connection = await RawConnection.open(app);
    connection.write(Buffer.concat(parts));
    expect(await connection.read(12)).toEqual(Buffer.concat([MAGIC, Buffer.of(1, status, 0, 0)]));
    connection.end(example('launch'));
    expect(await connection.readToEnd()).toHaveLength(0);
    expect(app.clients).toBe(0);
  });

  test.each([
    ['another first byte', Buffer.from('G')],
    ['HTTP, with NULs', Buffer.from('POST / HTTP/1.1\r\n\0a\0')],
    ['TLS', Buffer.from('1603010000', 'hex')],
    ['another magic', Buffer.from([...MAGIC.subarray(0, 7), 0x0b])],
  ])('closes without a byte when it receives %s', async (_, bytes) => {
    const { app } = await startHost({});
    const connection = await RawConnection.open(app);
    connection.write(bytes);
    expect(await connection.readToEnd()).toHaveLength(0);
  });

  const launch = example('launch');
  test.each([
    ['a length over maxMessageBytes', 2, Buffer.from('00100001', 'hex')],
    ['a length of 0', 3, Buffer.alloc(4)],
    ['a kind of a host', 3, frame(2, launch.subarray(5))],
    ['an unknown kind below 128', 3, frame(16, launch.subarray(5))],
    ['a body that is too short', 3, frame(1, Buffer.alloc(6))],
    ['an unknown flag', 3, frame(1, Buffer.concat([Buffer.of(2), launch.subarray(6)]))],
    ['a working directory that is longer than the body', 3, frame(1, Buffer.from('0000000000ffff', 'hex'))],
    ['a working directory that is not UTF-8', 3, frame(1, Buffer.from('00000000000001ff0000000031', 'hex'))],
    ['no arguments', 3, frame(1, Buffer.alloc(11))],
    ['arguments that are not JSON', 3, launchFrame('{')],
    ['a byte order mark', 3, launchFrame('\ufeff1')],
    ['a key that is escaped to __proto__', 3, launchFrame('{"__\\u0070roto__":1}')],
    ['33 levels', 3, launchFrame('['.repeat(33) + ']'.repeat(33))],
    ['65,537 values', 3, launchFrame(`[${Array(65_536).fill(1).join()}]`)],
    ['a second launch after the first', 3, Buffer.concat([launch, launch])],
  ])('refuses %s with reason %i, and does not count the client', async (_, reason, bytes) => {
    const { app } = await startHost({});
    const connection = await RawConnection.open(app);
    expectRefusal(await connection.deliver(bytes), reason);
    expect(app.clients).toBe(0);
  });

  test.each([
    ['32 levels', launchFrame('['.repeat(32) + ']'.repeat(32))],
    ['65,536 values', launchFrame(`[${Array(65_535).fill(1).join()}]`)],
    ['one value that is not a container', launchFrame('null')],
  ])('accepts %s', async (_, bytes) => {
    const { app } = await startHost({});
    const { kind, body } = await (await RawConnection.open(app)).deliver(bytes);
    expect([kind, body[0]]).toEqual([2, 1]);
  });

  test('refuses with reason 5 when the client withdraws its launch by an end, and does not dispatch it', async () => {
    const { app } = await startHost({});
    const connection = await RawConnection.open(app);
    connection.write(example('client hello'));
    await connection.read(12);
    connection.end(launch);
    expect(await connection.readToEnd()).toEqual(frame(3, Buffer.of(5)));
    expect(app.clients).toBe(0);
  });

  test('refuses with reason 5 when receiveTimeout expires before the launch is complete', async () => {
    const { app } = await startHost({ receiveTimeout: 50 });
    const connection = await RawConnection.open(app);
    expect(await connection.deliver(EMPTY)).toEqual({ kind: 3, body: Buffer.of(5) });
  });

  test('answers throttled, released, busy and invalid arguments differently', async () => {
    const throttling = await startHost({ maxClients: 1 });
    await (await RawConnection.open(throttling.app)).deliver(launch);
    const throttled = await (await RawConnection.open(throttling.app)).deliver(launch);
    expect([throttled.kind, throttled.body[0], throttled.body.readUInt32BE(1)]).toEqual([2, 2, 2]);

    const releasing = await startHost({ releaseThreshold: 1 });
    const released = await (await RawConnection.open(releasing.app)).deliver(launch);
    expect([released.kind, released.body[0]]).toEqual([2, 3]);

    const full = await acquire({ maxPending: 1 });
    await (await RawConnection.open(full)).deliver(launch);
    expectRefusal(await (await RawConnection.open(full)).deliver(launch), 4);
    expect(full.clients).toBe(2);

    const strict = await Singleton.acquire({
      port: 0,
      name: 'notes',
      codec: json(),
      schema: { '~standard': { version: 1, vendor: 'test', validate: () => ({ issues: [{ message: 'never' }] }) } },
      args: undefined,
    });
    onTestFinished(() => strict.release());
    expectRefusal(await (await RawConnection.open(strict)).deliver(launch), 1);
    expect(strict.clients).toBe(0);
  });
});

describe('a client written from docs/protocol.md', () => {
  test('delivers a launch to a host without a secret', async () => {
    const { app, launched } = await startHost({});
    const connection = await RawConnection.open(app);
    const { kind, body } = await connection.deliver(launchFrame('{"hello":"world"}'));
    expect([kind, body[0], body.readUInt32BE(1), body.readUInt32BE(5)]).toEqual([2, 1, 1, process.pid]);
    expect(await launched).toMatchObject({ args: { hello: 'world' }, client: { cwd: undefined, pid: undefined } });
  });

  test.each([
    ['in one record', 'world'],
    ['in several records', 'world'.repeat(30_000)],
  ])('delivers a launch %s to a host with a secret', async (_, hello) => {
    const { app, launched } = await startHost({ secret: SECRET });
    const connection = await RawConnection.open(app);
    const channel = await SecureConnection.open(connection, clientHello({ flags: 1 }), SECRET);
    channel.write(launchFrame(JSON.stringify({ hello })));
    const receipt = await channel.readRecord();
    expect(receipt).toHaveLength(22);
    expect(receipt.subarray(0, 14)).toEqual(
      Buffer.concat([Buffer.from('000000120201', 'hex'), u32(1), u32(process.pid)]),
    );
    channel.end();
    // The host sends no end record.
    expect(await connection.readToEnd()).toHaveLength(0);
    expect(await launched).toMatchObject({ args: { hello } });
  });

  test('receives refusal 5 from a host with a secret when it ends before its launch is complete', async () => {
    const { app } = await startHost({ secret: SECRET });
    const connection = await RawConnection.open(app);
    const channel = await SecureConnection.open(connection, clientHello({ flags: 1 }), SECRET);
    channel.write(launchFrame('1').subarray(0, -1));
    channel.end();
    expect(await channel.readRecord()).toEqual(frame(3, Buffer.of(5)));
    expect(await connection.readToEnd()).toHaveLength(0);
    expect(app.clients).toBe(0);
  });

  test('receives no answer from a host with a secret when it ends without an end record', async () => {
    const { app } = await startHost({ secret: SECRET });
    const connection = await RawConnection.open(app);
    const channel = await SecureConnection.open(connection, clientHello({ flags: 1 }), SECRET);
    channel.write(launchFrame('1').subarray(0, -1));
    connection.end();
    expect(await connection.readToEnd()).toHaveLength(0);
    expect(app.clients).toBe(0);
  });

  test('receives status 6 from a host with another secret', async () => {
    const { app } = await startHost({ secret: 'a secret that only the host has' });
    const connection = await RawConnection.open(app);
    await expect(SecureConnection.open(connection, clientHello({ flags: 1 }), SECRET)).rejects.toThrow('status 6');
  });
});

describe('a host written from docs/protocol.md', () => {
  test('receives the launch once when the client retries as the document allows', async () => {
    const { port, served } = await serve([
      async (connection) => connection.end(),
      async (connection) => {
        await connection.read(example('client hello').length);
        connection.write(example('host hello'));
        await readFrame(connection);
        connection.write(frame(3, Buffer.of(5)));
        connection.end();
      },
      async (connection) => {
        expect(await connection.read(example('client hello').length)).toEqual(example('client hello'));
        connection.write(example('host hello'));
        const { kind, body } = await readFrame(connection);
        const cwd = Buffer.from(process.cwd());
        const head = Buffer.concat([Buffer.of(0), u32(process.pid), u32(cwd.length).subarray(2)]);
        expect(kind).toBe(1);
        expect(body).toEqual(Buffer.concat([head, cwd, u32(0), Buffer.from(JSON.stringify(ARGS))]));
        connection.write(example('receipt'));
        // The client ends first.
        expect(await connection.readToEnd()).toHaveLength(0);
      },
    ]);

    const receipt = await Singleton.send({ port, name: 'notes', codec: json(), args: ARGS });
    expect(receipt).toEqual({ outcome: 'delivered', client: 1, host: { pid: 4711, since: new Date('2026-01-01') } });
    expect(served).toHaveLength(3);
    await Promise.all(served);
  });
});

/** Compares values of a step with the examples of these names. */
function expectValues(names: Readonly<Record<string, string>>, values: Readonly<Record<string, Buffer>> = {}): void {
  for (const [key, name] of Object.entries(names)) expectBytes(name, values[key] ?? EMPTY);
}

function documentedHello({ isSecured }: { readonly isSecured: boolean }): Uint8Array {
  return encodeClientHello({ isSecured, codec: Buffer.from('json'), application: Buffer.from('notes') });
}

function seal(cipher: CipherState, plaintext: Uint8Array): Buffer {
  const record = Buffer.concat(cipher.encrypt(plaintext));
  return Buffer.concat([u32(record.length).subarray(2), record]);
}
