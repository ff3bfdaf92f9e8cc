import { once } from 'node:events';
import { type Duplex, PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { inspect } from 'node:util';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { SingletonError, type SingletonErrorCode } from '../../../src/interface/errors.ts';
import { CipherState, type NoiseSession } from '../../../src/protocol/secure/noise.ts';
import { SecureStream } from '../../../src/protocol/secure/secure-stream.ts';
import {
  secureStreamPair,
  secureStreamWithRawPeer,
  outcomeOf,
  readAll,
  record,
  recordsOf,
  sessions,
} from '../../helpers/duplex-pair.ts';

const MARKER = 'marker-7d41';

describe('a pair of SecureStreams', () => {
  test('deliver all writes in order, both ways', async () => {
    const { left, right } = secureStreamPair();
    const received = [readAll(left), readAll(right)];
    for (const text of ['a', '', 'b', MARKER]) left.write(text);
    left.end('!');
    right.end('answer');
    expect((await Promise.all(received)).map(String)).toStrictEqual(['answer', `ab${MARKER}!`]);
  });

  test('show no plaintext on the wire, and no record twice', async () => {
    const { left, right, seen } = secureStreamPair();
    const received = readAll(right);
    for (let round = 0; round < 3; round += 1) left.write(MARKER);
    left.end();
    expect(String(await received)).toBe(MARKER.repeat(3));
    expect(Buffer.concat(seen).includes(MARKER.slice(0, 4))).toBe(false);
    expect(new Set(recordsOf(seen).map((bytes) => bytes.toString('hex'))).size).toBe(4);
  });

  test.each([
    [65_519, [65_535, 16]],
    [65_520, [65_535, 17, 16]],
    [3 * 65_519 + 1000, [65_535, 65_535, 65_535, 1016, 16]],
  ])('split a write of %i bytes into records of at most 65,535', async (size, lengths) => {
    const { left, right, seen } = secureStreamPair();
    const bytes = Buffer.alloc(size, MARKER);
    const received = readAll(right);
    left.end(bytes);
    expect(bytes.equals(await received)).toBe(true);
    expect(recordsOf(seen).map(({ length }) => length)).toStrictEqual(lengths);
  });

  test.each(['left', 'right'] as const)('allow the other side to write after the %s one has ended', async (side) => {
    const both = secureStreamPair();
    const [first, second] = side === 'left' ? [both.left, both.right] : [both.right, both.left];
    const closed = Promise.all([once(first, 'close'), once(second, 'close')]);
    const answer = readAll(first);
    const heard = readAll(second);
    first.end('last words');
    expect(String(await heard)).toBe('last words');
    second.write('late');
    await once(first, 'data');
    second.end('later');
    expect(String(await answer)).toBe('latelater');
    await closed;
    expect([first.errored, second.errored]).toStrictEqual([null, null]);
  });

  test('buffer a bounded number of bytes while the receiver does not read, and deliver all of them later', async () => {
    const { left, right } = secureStreamPair();
    right.read(0);
    let sent = 0;
    while (sent < 4096 && !left.writableNeedDrain) {
      left.write(Buffer.alloc(1024, sent));
      sent += 1;
      await turn();
    }
    expect(left.writableNeedDrain).toBe(true);
    expect(sent).toBeLessThan(512);
    for (const { readableLength, writableLength } of [left, right]) {
      expect(readableLength + writableLength).toBeLessThan(128 * 1024);
    }
    left.end();
    const received = await readAll(right);
    expect(received.length).toBe(1024 * sent);
    expect(received.every((byte, index) => byte === Math.trunc(index / 1024) % 256)).toBe(true);
  });

  test('work with pipeline()', async () => {
    const { left, right } = secureStreamPair();
    const echo = pipeline(right, new PassThrough(), right);
    const source = Array.from({ length: 50 }, (_, index) => Buffer.alloc(index * 300, index));
    const answer = readAll(left);
    await Promise.all([pipeline(Readable.from(source), left), echo]);
    expect(Buffer.concat(source).equals(await answer)).toBe(true);
  });
});

describe('a SecureStream', () => {
  test.each([
    ['without a byte', 0],
    ['in a length', 1],
    ['after a length', 2],
    ['in a record', 20],
    ['in a tag', 28],
    ['between records', 29],
  ])('fails when the connection ends %s', async (_, kept) => {
    const { channel, wire, peer } = secureStreamWithRawPeer();
    wire.end(record(peer, MARKER).subarray(0, kept));
    await expectFailure(channel, 'ERR_SINGLETON_TRUNCATED_MESSAGE', kept === 29 ? MARKER : '');
  });

  test('fails when the connection is closed before the end', async () => {
    const { channel, connection } = secureStreamWithRawPeer();
    connection.destroy();
    await expectFailure(channel, 'ERR_SINGLETON_TRUNCATED_MESSAGE');
  });

  test('fails with the error of the connection', async () => {
    const { channel, connection } = secureStreamWithRawPeer();
    const reason = new Error('reset');
    connection.destroy(reason);
    expect((await outcomeOf(channel)).error).toBe(reason);
  });

  test('fails when the connection is closed after its end, before all was written', async () => {
    const { channel, connection, wire, peer } = secureStreamWithRawPeer();
    channel.resume();
    // It is not read.
    channel.write(Buffer.alloc(2 ** 20));
    wire.write(record(peer, ''));
    await once(channel, 'end');
    connection.destroy();
    await expectFailure(channel, 'ERR_SINGLETON_CONNECTION_FAILED');
  });

  test('closes without an error when the connection is closed after its end, and nothing waits to be written', async () => {
    const { channel, connection, wire, peer } = secureStreamWithRawPeer();
    wire.write(record(peer, ''));
    channel.resume();
    await once(channel, 'end');
    connection.destroy();
    expect((await outcomeOf(channel)).error).toBeUndefined();
  });

  test.each<[string, (records: readonly Buffer[], own: NoiseSession) => readonly Buffer[], string]>([
    ['changed', ([one = MISSING]) => [Buffer.from(one).fill(~(one[9] ?? 0), 9, 10)], ''],
    ['replayed', ([one = MISSING, two = MISSING]) => [one, two, one], `${MARKER}two`],
    ['repeated', ([one = MISSING]) => [one, one], MARKER],
    ['sent before its turn', ([one = MISSING, two = MISSING]) => [two, one], ''],
    ['omitted', ([one = MISSING, , three = MISSING]) => [one, three], MARKER],
    ['reflected', (_, own) => [record(own, MARKER)], ''],
    ['made without the key', () => [Buffer.concat([Buffer.of(0, 27), Buffer.from(MARKER), Buffer.alloc(16)])], ''],
  ])('fails when a record was %s', async (_, send, delivered) => {
    const { channel, wire, peer, own } = secureStreamWithRawPeer();
    const records = [MARKER, 'two', 'three', ''].map((text) => record(peer, text));
    for (const bytes of send(records, own)) wire.write(bytes);
    await expectFailure(channel, 'ERR_SINGLETON_VERIFICATION_FAILED', delivered);
    expect(await readAll(wire)).toHaveLength(0);
  });

  test('fails when its own records are reflected', async () => {
    const { channel, wire } = secureStreamWithRawPeer();
    wire.pipe(wire);
    channel.write(MARKER);
    await expectFailure(channel, 'ERR_SINGLETON_VERIFICATION_FAILED');
  });

  test.each(Array.from({ length: 16 }, (_, length) => length))(
    'fails when a record announces %i bytes, too few for a tag, before one of them has arrived',
    async (length) => {
      const { channel, wire } = secureStreamWithRawPeer();
      wire.write(Buffer.of(0, length));
      await expectFailure(channel, 'ERR_SINGLETON_VERIFICATION_FAILED');
    },
  );

  test('fails when its connection was closed before it was created', async () => {
    const connection = new PassThrough().destroy();
    await once(connection, 'close');
    const channel = new SecureStream(connection, sessions()[0]);
    await expectFailure(channel, 'ERR_SINGLETON_CONNECTION_FAILED');
  });

  test.each([0, 1, 15])('fails when bytes arrive after the end, %i turns later', async (turns) => {
    const { channel, wire, peer } = secureStreamWithRawPeer();
    const outcome = expectFailure(channel, 'ERR_SINGLETON_MALFORMED_MESSAGE');
    wire.write(record(peer, ''));
    for (let count = 0; count < turns; count += 1) await turn();
    wire.write(MARKER);
    await outcome;
  });
});

describe('SecureStream.destroy', () => {
  test('closes the connection without sending an end', async () => {
    const { channel, connection, wire } = secureStreamWithRawPeer();
    channel.destroy();
    expect(connection.destroyed).toBe(true);
    expect(await readAll(wire)).toHaveLength(0);
  });

  test('closes its connection when it is called with an error', async () => {
    const { channel, connection } = secureStreamWithRawPeer();
    const reason = new Error('no more');
    channel.destroy(reason);
    expect((await outcomeOf(channel)).error).toBe(reason);
    expect(connection.destroyed).toBe(true);
  });

  test('fails the current write and those that wait for it', async () => {
    const { channel } = secureStreamWithRawPeer();
    const writes = Array.from({ length: 8 }, () => written(channel, Buffer.alloc(65_536)));
    await turn();
    channel.destroy();
    const outcomes = await Promise.all(writes);
    for (const outcome of outcomes) expect(outcome).toBeInstanceOf(Error);
  });

  test('fails later writes', async () => {
    const { channel } = secureStreamWithRawPeer();
    channel.on('error', () => {}).destroy();
    expect(await written(channel, Buffer.from('late'))).toMatchObject({ code: 'ERR_STREAM_DESTROYED' });
  });

  test('stops decryption after a record that is refused', async () => {
    const decrypt = vi.spyOn(CipherState.prototype, 'tryDecrypt');
    onTestFinished(() => decrypt.mockRestore());
    const { channel, wire, peer } = secureStreamWithRawPeer();
    const outcome = outcomeOf(channel);
    const first = record(peer, 'first');
    wire.write(Buffer.concat([first.fill((first.at(-1) ?? 0) ^ 1, first.length - 1), record(peer, MARKER)]));
    expect((await outcome).error).toMatchObject({ code: 'ERR_SINGLETON_VERIFICATION_FAILED' });
    expect(decrypt).toHaveBeenCalledOnce();
  });

  test('drops bytes that arrive later', async () => {
    const { channel, wire, peer } = secureStreamWithRawPeer();
    const outcome = outcomeOf(channel);
    wire.write(record(peer, 'first'));
    await once(channel, 'data');
    channel.once('data', () => channel.destroy());
    wire.write(Buffer.concat([record(peer, 'last'), record(peer, MARKER)]));
    expect(await outcome).toStrictEqual({ bytes: Buffer.from('firstlast'), error: undefined });
  });
});

const MISSING = Buffer.alloc(0);

/** It closes with a SingletonError of this code without any byte that arrived, after it has delivered only this. */
async function expectFailure(channel: Duplex, code: SingletonErrorCode, delivered = ''): Promise<void> {
  const { bytes, error } = await outcomeOf(channel);
  expect(error).toBeInstanceOf(SingletonError);
  expect(error).toMatchObject({ code });
  const shown = inspect(error, { depth: null, showHidden: true });
  for (const form of [MARKER, Buffer.from(MARKER).toString('hex'), [...Buffer.from(MARKER)].join(',')]) {
    expect(shown).not.toContain(form);
  }
  expect(String(bytes)).toBe(delivered);
}

/** What a write is settled with. */
function written(channel: Duplex, chunk: Buffer): Promise<Error | null | undefined> {
  return new Promise((resolve) => channel.write(chunk, resolve));
}

/** All that was under way in memory has arrived. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
