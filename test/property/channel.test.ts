import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SingletonError } from '../../src/interface/errors.ts';
import { initiate, tryRespond } from '../../src/protocol/secure/handshake.ts';
import { SecureStream } from '../../src/protocol/secure/secure-stream.ts';
import { duplexPair, outcomeOf, readAll, sessions } from '../helpers/duplex-pair.ts';
import { chunkSizes, handshakes, plaintexts, shares } from './arbitraries.ts';

/** Sent with the response. */
const HELLO = Buffer.from('a host hello');

describe('SecureStream', () => {
  test('delivers the same bytes from any chunks', async () => {
    await fc.assert(
      fc.asyncProperty(plaintexts(), chunkSizes(), async (texts, sizes) => {
        const { bytes, error } = await received(split(await sent(texts), sizes));
        expect([error, bytes]).toStrictEqual([undefined, Buffer.concat(texts)]);
      }),
    );
  });

  test('delivers a prefix and fails if any one bit of a short session is flipped', async () => {
    const texts = ['first', '2', 'third'].map((text) => Buffer.from(text));
    const wire = await sent(texts);
    for (let bit = 0; bit < 8 * wire.length; bit += 1) await expectPrefix([flipped(wire, bit)], Buffer.concat(texts));
  });

  test('delivers a prefix and fails if one bit of any session is flipped, from any chunks', async () => {
    await fc.assert(
      fc.asyncProperty(plaintexts(), chunkSizes(), shares(), async (texts, sizes, share) => {
        const wire = await sent(texts);
        const changed = flipped(wire, Math.trunc(share * 8 * wire.length));
        await expectPrefix(split(changed, sizes), Buffer.concat(texts));
      }),
    );
  });

  test('delivers a prefix and fails if the connection breaks off at any byte', async () => {
    const text = Buffer.from('all of it');
    const wire = await sent([text, text]);
    for (const end of wire.keys()) {
      const { error } = await expectPrefix([wire.subarray(0, end)], Buffer.concat([text, text]));
      expect(error).toMatchObject({ code: 'ERR_SINGLETON_TRUNCATED_MESSAGE' });
    }
  });
});

describe('a handshake', () => {
  test('opens a stream if both sides have the same secret and prologue', async () => {
    await fc.assert(
      fc.asyncProperty(handshakes(), async (known) => {
        expect(await handshakeOutcome(known)).toStrictEqual({ bytes: Buffer.from('launch'), error: undefined });
      }),
      { numRuns: 20 },
    );
  });

  test('opens no stream at a second responder when it is replayed: the first record is refused', async () => {
    await fc.assert(
      fc.asyncProperty(handshakes(), async (known) => {
        const { bytes, error } = await handshakeOutcome(known, 'replayed');
        expect(bytes).toHaveLength(0);
        expect(error).toMatchObject({ code: 'ERR_SINGLETON_VERIFICATION_FAILED' });
      }),
      { numRuns: 20 },
    );
  });

  test('fails if a message is reflected to its sender', () => {
    fc.assert(
      fc.property(handshakes(), (known) => {
        const initiation = initiate(known);
        const response = tryRespond(known, initiation.message, HELLO);
        expect(initiation.tryFinish(connection(), initiation.message, HELLO)).toBeUndefined();
        expect(tryRespond(known, response?.message ?? Buffer.alloc(0), HELLO)).toBeUndefined();
        expect(response).toBeDefined();
      }),
      { numRuns: 20 },
    );
  });

  test('fails if either message is truncated at any byte', () => {
    const known = { secret: Buffer.from('open sesame'), prologue: Buffer.from('client hello') };
    for (let end = 0; end < 48; end += 1) {
      const initiation = initiate(known);
      const response = tryRespond(known, initiation.message, HELLO);
      expect(tryRespond(known, initiation.message.subarray(0, end), HELLO)).toBeUndefined();
      expect(response?.message).toHaveLength(60);
      expect(
        initiation.tryFinish(connection(), (response?.message ?? known.secret).subarray(0, end), HELLO),
      ).toBeUndefined();
    }
  });

  test('fails if one bit of the prologue, of the secret or of either message is flipped', () => {
    fc.assert(
      fc.property(handshakes(), shares(), (known, share) => {
        const at = ({ length }: Uint8Array): number => Math.trunc(share * 8 * length);
        const { secret, prologue } = known;
        const initiation = initiate(known);
        const { message } = initiation;
        const response = tryRespond(known, message, HELLO);
        expect(tryRespond({ secret, prologue: flipped(prologue, at(prologue)) }, message, HELLO)).toBeUndefined();
        expect(tryRespond({ secret: flipped(secret, at(secret)), prologue }, message, HELLO)).toBeUndefined();
        expect(tryRespond(known, flipped(message, at(message)), HELLO)).toBeUndefined();
        expect(response?.message).toHaveLength(60);
        const answer = flipped(response?.message ?? message, at(message));
        expect(initiation.tryFinish(connection(), answer, HELLO)).toBeUndefined();
      }),
      // The bit of a public key that X25519 itself ignores.
      { examples: [[{ secret: Buffer.from('s'), prologue: Buffer.from('p') }, 255 / 384]] },
    );
  });
});

/** The bytes that a responder delivers of a client's first record, or of the same record when it is replayed. */
async function handshakeOutcome(
  known: Parameters<typeof tryRespond>[0],
  which?: 'replayed',
): ReturnType<typeof outcomeOf> {
  const initiation = initiate(known);
  const first = tryRespond(known, initiation.message, HELLO);
  const second = which && tryRespond(known, initiation.message, HELLO);
  const [wire, end] = duplexPair();
  const client = initiation.tryFinish(end, first?.message ?? Buffer.alloc(0), HELLO);
  client?.on('error', () => {}).end('launch');
  const recorded = await readAll(wire);
  const [bare, host] = duplexPair();
  const channel = (which ? second : first)?.open(host);
  if (!channel) throw new Error('the responder refused the handshake');
  channel.end();
  bare.end(recorded);
  return outcomeOf(channel);
}

/** All bytes that a SecureStream sends for these texts. */
async function sent(texts: readonly Uint8Array[]): Promise<Buffer> {
  const [wire, end] = duplexPair();
  const channel = new SecureStream(end, sessions()[0]);
  for (const text of texts) channel.write(text);
  channel.end();
  const bytes = await readAll(wire);
  channel.on('error', () => {}).destroy();
  return bytes;
}

/** The bytes and the error of a SecureStream that receives these chunks and then an end. */
function received(chunks: readonly Uint8Array[]): ReturnType<typeof outcomeOf> {
  const [wire, end] = duplexPair();
  const channel = new SecureStream(end, sessions()[1]);
  channel.end();
  for (const chunk of chunks) wire.write(chunk);
  wire.end();
  return outcomeOf(channel);
}

async function expectPrefix(chunks: readonly Uint8Array[], whole: Buffer): ReturnType<typeof outcomeOf> {
  const outcome = await received(chunks);
  expect(outcome.error).toBeInstanceOf(SingletonError);
  expect(whole.subarray(0, outcome.bytes.length).equals(outcome.bytes)).toBe(true);
  return outcome;
}

function connection(): Parameters<ReturnType<typeof initiate>['tryFinish']>[0] {
  return duplexPair()[0];
}

function split(bytes: Buffer, sizes: readonly number[]): readonly Buffer[] {
  let at = 0;
  const chunks = sizes.map((size) => bytes.subarray(at, (at += size)));
  return [...chunks, bytes.subarray(at)];
}

function flipped(bytes: Uint8Array, bit: number): Buffer {
  const at = Math.trunc(bit / 8);
  return Buffer.from(bytes.map((byte, index) => (index === at ? byte ^ (1 << (bit % 8)) : byte)));
}
