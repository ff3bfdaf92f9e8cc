import { type Duplex, duplexPair } from 'node:stream';
import { describe, expect, onTestFinished, test } from 'vitest';
import { json } from '../../src/codecs/json.ts';
import { frames } from '../../src/protocol/frames.ts';
import { encodeHostHello, STATUS } from '../../src/protocol/hello.ts';
import { decodeLaunch } from '../../src/protocol/launch.ts';
import { encodeReceipt, encodeRefusal } from '../../src/protocol/messages.ts';
import { readClientHello, readSome } from '../helpers/read.ts';

const options = { secret: undefined, name: '', maxMessageBytes: 1024 };
const RECEIPT = frames.encode(encodeReceipt({ outcome: 'delivered', client: 7, pid: 8, since: 9 }));
const RECEIVED = { outcome: 'delivered', client: 7, host: { pid: 8, since: new Date(9) } };

/** The outcome of a launch whose host sends these bytes after its hello. */
async function helloWith(bytes: Uint8Array): Promise<unknown> {
  const { host, delivery } = await startDelivery();
  host.write(Buffer.concat([encodeHostHello(STATUS.ok), bytes]));
  return delivery;
}

async function startDelivery() {
  const [client, host] = duplexPair();
  onTestFinished(() => void [client.destroy(), host.destroy()]);
  const deliver = json().protocol.outbound({ args: ['a'] }, options);
  const delivery = deliver(client.on('error', () => {})).catch((error: unknown) => error);
  await readClientHello(host);
  return { client, host, delivery };
}

/** The outcome of a launch whose host sends these bytes after it. */
async function deliverTo(answer: (host: Duplex, client: Duplex) => void): Promise<unknown> {
  const { client, host, delivery } = await startDelivery();
  host.write(encodeHostHello(STATUS.ok));
  const [launch] = frames.createDecoder(options).push((await readSome(host)) ?? new Uint8Array());
  expect(launch && Buffer.from(decodeLaunch(launch).args).toString()).toBe('["a"]');
  answer(host, client);
  host.resume();
  return delivery;
}

describe('protocol.outbound', () => {
  test.each([
    ['nothing', ''],
    ['a frame that is too long', 'ffffffff'],
    ['a frame without a kind', '00000000'],
    ['half a frame', '0000'],
    ['a refusal', '000000020301'],
  ])('resolves to the receipt although %s follows it', async (_, junk) => {
    const receipt = { receipt: RECEIVED };
    expect(await deliverTo((host) => host.write(Buffer.concat([RECEIPT, Buffer.from(junk, 'hex')])))).toEqual(receipt);
  });

  test('resolves to undefined when the host did not accept the launch, so that it may be delivered again', async () => {
    expect(await deliverTo((host) => host.write(frames.encode(encodeRefusal('not-taken'))))).toBeUndefined();
  });

  test.each([
    ['the result of a launch that waits', frames.encode(encodeRefusal('ERR_SINGLETON_RELEASED'))],
    ['a frame that is no answer', frames.encode({ kind: 6, body: Buffer.from('x') })],
    ['a receipt that is longer than one', frames.encode({ kind: 2, body: Buffer.alloc(64) })],
  ])('outbound() rejects for %s', async (_, bytes) => {
    const code = expect.stringMatching(/^ERR_SINGLETON_(MALFORMED_MESSAGE|MESSAGE_TOO_LARGE)$/);
    const failure = { code: 'ERR_SINGLETON_CONNECTION_FAILED', cause: { code } };
    expect(await deliverTo((host) => host.write(bytes))).toMatchObject(failure);
  });

  test('rejects with CONNECTION_FAILED when the host ends without an answer, since it may have run the launch', async () => {
    expect(await deliverTo((host) => host.end())).toMatchObject({ code: 'ERR_SINGLETON_CONNECTION_FAILED' });
  });
});

test.each([
  ['resolves to undefined for a refusal', 'not-taken', undefined],
  ['rejects for a final refusal', 'ERR_SINGLETON_INVALID_ARGS', { code: 'ERR_SINGLETON_INVALID_ARGS' }],
] as const)('outbound() %s that arrives before the launch was sent', async (_, refusal, outcome) => {
  const failure: unknown = await helloWith(frames.encode(encodeRefusal(refusal)));
  if (outcome) expect(failure).toMatchObject(outcome);
  else expect(failure).toBeUndefined();
});

test('outbound() rejects with MALFORMED_MESSAGE for a receipt that arrives before the launch was sent', async () => {
  expect(await helloWith(RECEIPT)).toMatchObject({ code: 'ERR_SINGLETON_MALFORMED_MESSAGE' });
});

test.each([
  ['resolves to undefined', 'write', undefined],
  ['rejects with CONNECTION_FAILED', 'read', { code: 'ERR_SINGLETON_CONNECTION_FAILED' }],
])('outbound() %s when the connection fails at a %s, without an answer', async (_, syscall, outcome) => {
  const error = Object.assign(new Error(`${syscall} ECONNRESET`), { code: 'ECONNRESET', syscall });
  const failure = await deliverTo((__, client) => client.destroy(error));
  if (outcome) expect(failure).toMatchObject({ ...outcome, cause: error });
  else expect(failure).toBeUndefined();
});
