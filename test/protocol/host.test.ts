import { Duplex, duplexPair } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { json } from '../../src/codecs/json.ts';
import { legacy } from '../../src/codecs/legacy.ts';
import { frames } from '../../src/protocol/frames.ts';
import { encodeClientHello, encodeHostHello, STATUS } from '../../src/protocol/hello.ts';
import { encodeLaunch } from '../../src/protocol/launch.ts';
import { readLaunch } from '../helpers/deliver.ts';

const HELLO = encodeClientHello({ isSecured: false, codec: Buffer.from('json'), application: Buffer.alloc(0) });
const LAUNCH = frames.encode(encodeLaunch({ args: Buffer.from('["a"]') }));
const options = { secret: undefined, name: '', maxMessageBytes: 1024 };

describe('a host whose client ends without a launch', () => {
  test.each([
    ['in one piece', [HELLO]],
    ['in two pieces', [HELLO.subarray(0, 9), HELLO.subarray(9)]],
    ['byte by byte', Array.from(HELLO, (byte) => Buffer.of(byte))],
  ])('answers the hello and reports the end when both arrive in one tick, %s', async (_, pieces) => {
    const sent: Buffer[] = [];
    const write = (chunk: Buffer, _encoding: string, done: () => void): void => void [sent.push(chunk), done()];
    const connection = new Duplex({ read() {}, write });
    for (const piece of [...pieces, null]) connection.push(piece);
    await expect(readLaunch(json().protocol, connection, options)).rejects.toMatchObject({
      code: 'ERR_SINGLETON_TRUNCATED_MESSAGE',
    });
    expect(Buffer.concat(sent)).toEqual(encodeHostHello(STATUS.ok));
  });
});

/** A connection after its hello. Records what the host makes of what follows. */
async function open(): Promise<{ readonly connection: Duplex; readonly calls: readonly unknown[] }> {
  const calls: unknown[] = [];
  const connection = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
  const codec = json();
  const receive = await codec.protocol.inbound([codec]);
  receive(connection, options, {
    onLaunch: (result) => void calls.push(result.verified && result.launch.args),
    onError: (error) => void calls.push(Object(error).code),
    onReplace: () => void calls.push('replace'),
    status() {
      throw new Error('Expected a launch, got a request for the status.');
    },
  });
  connection.push(HELLO);
  await turn();
  return { connection, calls };
}

describe('a host whose client has sent its launch', () => {
  test('takes none whose end arrives one turn after its last byte', async () => {
    const { connection, calls } = await open();
    connection.push(LAUNCH);
    setImmediate(() => connection.push(null));
    for (let turns = 0; turns < 4; turns += 1) await turn();
    expect(calls).toEqual(['ERR_SINGLETON_CONNECTION_FAILED']);
  });

  test('hands it over once, whatever follows', async () => {
    const { connection, calls } = await open();
    connection.push(LAUNCH);
    for (let turns = 0; turns < 4; turns += 1) await turn();
    connection.push(LAUNCH);
    connection.push(null);
    for (let turns = 0; turns < 4; turns += 1) await turn();
    expect(calls).toEqual([['a']]);
  });
});

test.each([
  ['json()', json(), [HELLO, LAUNCH]],
  ['legacy()', legacy(), ['a\0', null]],
] as const)('a host with %s reads a connection that was accepted paused', async (_, codec, pieces) => {
  const connection = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() }).pause();
  for (const piece of pieces) connection.push(piece);
  expect(await readLaunch<unknown>(codec.protocol, connection, options)).toMatchObject({ launch: { args: ['a'] } });
});

test('a host whose answer to a hello cannot be written reports what was thrown', async () => {
  const error = new RangeError('no');
  const connection = new Duplex({
    read() {},
    write() {
      throw error;
    },
  });
  connection.push(HELLO);
  await expect(readLaunch(json().protocol, connection, options)).rejects.toBe(error);
});

test('a host with a secret reads a launch byte by byte', async () => {
  const secured = { ...options, secret: Buffer.from('open sesame, open sesame') };
  const [client, near] = duplexPair();
  const [far, host] = duplexPair();
  for (const end of [client, near, far, host]) end.on('error', () => {});
  const reading = readLaunch(json().protocol, host, secured);
  json()
    .protocol.outbound(
      { args: ['a'] },
      secured,
    )(client)
    .catch(() => {});
  far.pipe(near);
  near.on('data', async (chunk: Buffer) => {
    near.pause();
    for (const byte of chunk) {
      far.write(Buffer.of(byte));
      await turn();
    }
    near.resume();
  });
  expect(await reading).toMatchObject({ verified: true, launch: { args: ['a'] } });
  client.destroy();
});
