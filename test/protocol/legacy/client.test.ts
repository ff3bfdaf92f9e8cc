import { once } from 'node:events';
import { createConnection, createServer, type Socket } from 'node:net';
import { inspect } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { legacy } from '../../../src/codecs/legacy.ts';
import type { ProtocolOptions } from '../../../src/interface/protocol.ts';
import { SingletonError, type SingletonErrorCode } from '../../../src/interface/errors.ts';
import { encode } from '../../../src/protocol/legacy/message.ts';
import { readLaunch } from '../../helpers/deliver.ts';
import { open as connectTo, readAll } from '../../helpers/transport-compliance.ts';
import { tcp } from '../../../src/transports/tcp.ts';

const { protocol } = legacy();
const SECRET = 'open-sesame-Ω';
const open: ProtocolOptions = { secret: undefined, maxMessageBytes: 65_536, name: '' };
const guarded: ProtocolOptions = { ...open, secret: Buffer.from(SECRET) };

describe('legacy().protocol.inbound', () => {
  test('verifies a launch without a secret if the host has none', async () => {
    const { host, client } = await pair();
    client.end('a\0\0b\0');
    expect(await readLaunch(protocol, host, open)).toStrictEqual({
      verified: true,
      codec: 'legacy',
      launch: { args: ['a', '', 'b'] },
      bytes: 5,
    });
  });

  test.each([{ args: [] }, { args: [''] }, { args: ['a', ''] }])(
    'verifies a launch of $args after the secret, and removes the secret',
    async ({ args }) => {
      const { host, client } = await pair();
      client.end(encode([SECRET, ...args]));
      expect(await readLaunch(protocol, host, guarded)).toMatchObject({ verified: true, launch: { args } });
    },
  );

  test.each([
    ['if a secret is set', guarded, `${SECRET}\0a\0`],
    ['if none is set', open, 'a\0'],
    ['if there are none', guarded, `${SECRET}\0`],
  ])('freezes the arguments %s', async (_, options, text) => {
    const { host, client } = await pair();
    client.end(text);
    expect(await readLaunch(protocol, host, options)).toSatisfy(
      (result) => result.verified && Object.isFrozen(result.launch.args),
    );
  });

  test.each([
    ['another', 'open-sesame\0a\0'],
    ['a longer', `${SECRET}!\0a\0`],
    ['an empty', '\0a\0'],
    ['a later', `a\0${SECRET}\0`],
  ])('reports %s first field instead of the secret as a wrong secret', async (_, text) => {
    const { host, client } = await pair();
    client.end(text);
    expect(await readLaunch(protocol, host, guarded)).toStrictEqual({ verified: false, reason: 'wrong-secret' });
  });

  test('reports a launch without any field as a missing secret', async () => {
    const { host, client } = await pair();
    client.end('\0');
    expect(await readLaunch(protocol, host, guarded)).toStrictEqual({
      verified: false,
      reason: 'missing-secret',
    });
  });

  test('does not complete a launch before the end of stream', async () => {
    const { host, client } = await pair();
    const result = readLaunch(protocol, host, guarded);
    client.write(`${SECRET}\0a\0`);
    await once(host, 'data');
    client.end('b\0');
    expect(await result).toStrictEqual({ verified: true, codec: 'legacy', launch: { args: ['a', 'b'] }, bytes: 19 });
  });

  test('sends nothing and leaves the connection open', async () => {
    const { host, client } = await pair();
    client.end('a\0');
    await readLaunch(protocol, host, open);
    expect([host.bytesWritten, host.writableEnded, host.destroyed]).toStrictEqual([0, false, false]);
  });

  test('reports nothing of a connection that ends without a byte', async () => {
    const { host, client } = await pair();
    client.end();
    await expect(readLaunch(protocol, host, guarded)).rejects.toBeUndefined();
  });

  test('reports a launch that ends without its last NUL as truncated', async () => {
    const { host, client } = await pair();
    client.end(`${SECRET}\0a`);
    await expectFailure(readLaunch(protocol, host, guarded), 'ERR_SINGLETON_TRUNCATED_MESSAGE');
  });

  test('refuses a launch that is too large while its stream is open', async () => {
    const { host, client } = await pair();
    const result = readLaunch(protocol, host, { ...guarded, maxMessageBytes: 100 });
    client.write(`${SECRET}\0${'x'.repeat(100)}`);
    await expectFailure(result, 'ERR_SINGLETON_MESSAGE_TOO_LARGE');
    expect(host.isPaused()).toBe(true);
  });

  test('refuses a launch that is not UTF-8 as malformed', async () => {
    const { host, client } = await pair();
    client.end(Buffer.concat([Buffer.from(SECRET), Buffer.of(0, 0xff, 0)]));
    await expectFailure(readLaunch(protocol, host, guarded), 'ERR_SINGLETON_MALFORMED_MESSAGE');
  });
});

describe('legacy().protocol.outbound', () => {
  test('refuses arguments that are too large with their secret before anything is sent', async () => {
    const { length } = encode([SECRET, 'a']);
    expect(protocol.outbound({ args: ['a'] }, { ...guarded, maxMessageBytes: length })).toBeTypeOf('function');
    const tooMuch = attempt(() => protocol.outbound({ args: ['a'] }, { ...guarded, maxMessageBytes: length - 1 }));
    await expectFailure(tooMuch, 'ERR_SINGLETON_MESSAGE_TOO_LARGE');
  });

  test('refuses arguments that cannot be encoded before anything is sent', async () => {
    const impossible = attempt(() => protocol.outbound({ args: ['a\0b'] }, guarded));
    await expectFailure(impossible, 'ERR_SINGLETON_UNENCODABLE');
  });
});

describe('legacy().protocol.outbound, after it has sent the launch,', () => {
  test.each([
    ['without a secret', open, ['a', '', 'b']],
    ['after the secret', guarded, [SECRET, 'a', '', 'b']],
  ])(
    'sends the arguments %s and an end, and resolves to unconfirmed when the host reads all and ends',
    async (_, options, parts) => {
      const { host, client } = await pair();
      const receipt = protocol.outbound({ args: ['a', '', 'b'] }, options)(client);
      expect(await readAll(host)).toStrictEqual(Buffer.from(encode(parts)));
      host.end();
      expect(await receipt).toStrictEqual({ receipt: { outcome: 'unconfirmed' } });
      expect(client.destroyed).toBe(true);
    },
  );

  test('does not resolve before the host has ended', async () => {
    const { host, client } = await pair();
    const order: string[] = [];
    const receipt = protocol.outbound({ args: ['a'] }, open)(client);
    const resolved = receipt.then(() => order.push('receipt'));
    await readAll(host);
    order.push('host ends');
    host.end();
    await resolved;
    expect(order).toStrictEqual(['host ends', 'receipt']);
  });

  test('delivers the same launch on another connection', async () => {
    const deliver = protocol.outbound({ args: ['a'] }, guarded);
    for (let round = 0; round < 2; round += 1) {
      const { host, client } = await pair();
      const [launch] = await Promise.all([
        readLaunch(protocol, host, guarded).finally(() => host.end()),
        deliver(client),
      ]);
      expect(launch).toStrictEqual({ verified: true, codec: 'legacy', launch: { args: ['a'] }, bytes: 17 });
    }
  });

  test('rejects and closes the connection when the other program answers', async () => {
    const { host, client } = await pair();
    const receipt = protocol.outbound({ args: ['a'] }, guarded)(client);
    host.write('220 welcome\r\n');
    await expectFailure(receipt, 'ERR_SINGLETON_FOREIGN_HOST');
    expect(client.destroyed).toBe(true);
  });

  test('resolves to undefined when the host resets before the launch was sent', async () => {
    const { host, client } = await pair();
    host.resetAndDestroy();
    expect(await protocol.outbound({ args: ['a'] }, guarded)(client)).toBeUndefined();
  });

  test.each([1, 2000])(
    'sends nothing and may be tried again with %d bytes, when the host has ended before and no question shows a reset',
    async (bytes) => {
      const { host, client } = await pair();
      host.end();
      expect(await protocol.outbound({ args: ['x'.repeat(bytes)] }, open)(client)).toBeUndefined();
      expect(client.bytesWritten).toBe(0);
    },
  );

  // The system chooses a port that it also lends to outgoing connections, of which one may be to itself.
  test('may be tried again when the host at such a port closes each connection at once', async () => {
    const server = createServer((socket) => void socket.on('error', () => {}).destroy()).listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const address = server.address();
    const transport = tcp({ port: typeof address === 'object' && address ? address.port : 0 });
    for (let round = 0; round < 10; round += 1) {
      const connection = await connectTo(transport);
      expect(await protocol.outbound({ args: ['a'] }, open)(connection)).toBeUndefined();
    }
  });

  test('may be tried again when it resets the connection itself, although its runtime then emits an end', async () => {
    const { host, client } = await pair();
    const receipt = protocol.outbound({ args: ['a'] }, open)(client);
    await readAll(host);
    client.resetAndDestroy();
    client.emit('end');
    Object.defineProperty(client, 'readableEnded', { value: true });
    expect(await receipt).toBeUndefined();
  });

  test('may be tried again when the host resets after 1024 bytes', async () => {
    const { host, client } = await pair();
    const receipt = protocol.outbound({ args: ['x'.repeat(1023)] }, open)(client);
    await once(client, 'finish');
    host.resetAndDestroy();
    expect(await receipt).toBeUndefined();
  });

  test('rejects with the cause when the host resets after 1025 bytes, since it may have read some', async () => {
    const { host, client } = await pair();
    const args = ['x'.repeat(1024 - SECRET.length - 2)];
    expect(encode([SECRET, ...args])).toHaveLength(1025);
    const receipt = protocol.outbound({ args }, guarded)(client);
    await once(client, 'finish');
    host.resetAndDestroy();
    const error = await expectFailure(receipt, 'ERR_SINGLETON_CONNECTION_FAILED');
    expect(error).toMatchObject({ cause: { code: 'ECONNRESET' } });
  });
});

/** The two ends of a new TCP connection. */
async function pair(): Promise<{ readonly host: Socket; readonly client: Socket }> {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const client = createConnection({ host: '127.0.0.1', port, allowHalfOpen: true });
  const [accepted] = await Promise.all([once(server, 'connection'), once(client, 'connect')]);
  const [host]: Socket[] = accepted;
  server.close();
  if (!host) throw new Error('no connection');
  onTestFinished(() => void [host, client].map((socket) => socket.destroy()));
  for (const socket of [host, client]) socket.on('error', () => {});
  return { host, client };
}

async function attempt(call: () => unknown): Promise<unknown> {
  return call();
}

/** The rejection, which must be a SingletonError of this code that does not show the secret. */
async function expectFailure(outcome: Promise<unknown>, code: SingletonErrorCode): Promise<unknown> {
  const error: unknown = await outcome.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(SingletonError);
  expect(error).toMatchObject({ code });
  expect(inspect(error, { depth: null })).not.toContain('sesame');
  return error;
}
