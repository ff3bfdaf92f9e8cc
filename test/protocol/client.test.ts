import { type Duplex, duplexPair } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import { json } from '../../src/codecs/json.ts';
import { frames } from '../../src/protocol/frames.ts';
import { encodeHostHello, readClientHello, STATUS } from '../../src/protocol/hello.ts';
import { decodeLaunch, encodeReceipt, encodeRefusal } from '../../src/protocol/messages.ts';
import { readSome } from '../../src/protocol/read.ts';

const terms = { secret: undefined, name: '', maxMessageBytes: 1024 };
const RECEIPT = frames.encode(encodeReceipt({ outcome: 'delivered', client: 7, pid: 8, since: 9 }));
const RECEIVED = { outcome: 'delivered', client: 7, host: { pid: 8, since: new Date(9) } };

/** What a launch makes of a host that says this when it has the launch. */
async function handOverTo(answer: (host: Duplex) => void): Promise<unknown> {
  const [client, host] = duplexPair();
  onTestFinished(() => void [client.destroy(), host.destroy()]);
  const handOff = await json().protocol.outbound({ args: ['a'] }, terms);
  const delivery = handOff(client.on('error', () => {})).catch((error: unknown) => error);
  await readClientHello(host);
  host.write(encodeHostHello(STATUS.ok));
  const [launch] = frames.createDecoder(terms).push((await readSome(host)) ?? new Uint8Array());
  expect(launch && Buffer.from(decodeLaunch(launch).args).toString()).toBe('["a"]');
  answer(host);
  host.resume();
  return delivery;
}

test.each([
  ['nothing', ''],
  ['a frame that is too long', 'ffffffff'],
  ['a frame without a kind', '00000000'],
  ['half a frame', '0000'],
  ['a refusal', '000000020301'],
])('a receipt holds, although %s is behind it', async (_, junk) => {
  const receipt = { receipt: RECEIVED };
  expect(await handOverTo((host) => host.write(Buffer.concat([RECEIPT, Buffer.from(junk, 'hex')])))).toEqual(receipt);
});

test('a launch that was not taken resolves to nothing, and may be handed over again', async () => {
  expect(await handOverTo((host) => host.write(frames.encode(encodeRefusal('not-taken'))))).toBeUndefined();
});

test.each([
  ['the last word of a launch that waits', frames.encode(encodeRefusal('ERR_SINGLETON_RELEASED'))],
  ['a frame that is no answer', frames.encode({ kind: 6, body: Buffer.from('x') })],
  ['a receipt that is longer than one', frames.encode({ kind: 2, body: Buffer.alloc(64) })],
])('%s is an error', async (_, bytes) => {
  const code = expect.stringMatching(/^ERR_SINGLETON_(MALFORMED_MESSAGE|MESSAGE_TOO_LARGE)$/);
  expect(await handOverTo((host) => host.write(bytes))).toMatchObject({ code });
});

test('a host that ends instead of an answer is CONNECTION_FAILED: it may have run the launch', async () => {
  expect(await handOverTo((host) => host.end())).toMatchObject({ code: 'ERR_SINGLETON_CONNECTION_FAILED' });
});
