import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it, test } from 'vitest';
import { RemoteStdin } from '../../src/protocol/remote-stdio.ts';
import { StdinSender } from '../../src/protocol/stdin-sender.ts';

const nothing = (): void => {};

describe('what comes into a launch', () => {
  it('is held in bytes and not in chunks, where nobody reads it', async () => {
    const input = new RemoteStdin(nothing, nothing);
    input.read(0);
    for (let count = 0; count < 100_000; count += 1) input.receive(Uint8Array.of(count));
    input.receive(new Uint8Array());
    const chunks: Uint8Array[] = [];
    for await (const chunk of input) chunks.push(chunk);
    expect(chunks.length).toBeLessThan(5);
    expect(Buffer.concat(chunks).length).toBe(100_000);
  });

  it('is pulled again when half of it was read, and never more than the window', async () => {
    const pulls: number[] = [];
    const input = new RemoteStdin((bytes) => pulls.push(bytes), nothing);
    const read = buffer(input);
    for (let count = 0; count < 8; count += 1) {
      while (pulls.length === 0) await new Promise(setImmediate);
      input.receive(new Uint8Array(pulls.shift() ?? 0));
    }
    input.receive(new Uint8Array());
    expect((await read).length).toBeGreaterThan(8 * 131_072);
  });

  it.each([
    ['before it was pulled', (input: RemoteStdin) => input.receive(Uint8Array.of(1))],
    ['behind its end', (input: RemoteStdin) => [input.receive(new Uint8Array()), input.receive(new Uint8Array())]],
  ])('is malformed where it comes %s', (_, act) => {
    expect(() => act(new RemoteStdin(nothing, nothing))).toThrow(
      expect.objectContaining({ code: 'ERR_SINGLETON_MALFORMED_MESSAGE' }),
    );
  });
});

/** What is sent of a source, and how that fails. */
function pump(source: Readable): {
  readonly input: StdinSender;
  readonly sent: number[];
  readonly failed: Promise<unknown>;
} {
  const sent: number[] = [];
  let input: StdinSender | undefined;
  const failed = new Promise<unknown>((resolve) => {
    input = new StdinSender(
      () => source,
      ({ length }) => sent.push(length),
      resolve,
    );
  });
  if (!input) throw new Error('a promise runs at once');
  return { input, sent, failed };
}

const FAILED = { name: 'SingletonError', code: 'ERR_SINGLETON_CONNECTION_FAILED' };

test('a source that was destroyed before it is pulled is a failure, and no end', async () => {
  const cause = new Error('disk');
  const source = new PassThrough().on('error', nothing).destroy(cause);
  const { input, sent, failed } = pump(source);
  input.grant(10);
  expect(await failed).toMatchObject({ ...FAILED, cause });
  expect(sent).toEqual([]);
});

test('a source of objects is a failure', async () => {
  const { input, sent, failed } = pump(Readable.from([{ a: 1 }]));
  input.grant(10);
  expect(await failed).toMatchObject(FAILED);
  expect(sent).toEqual([]);
});

test('a connection that takes no more is not given more, however much is pulled', async () => {
  const source = new Readable({ read: nothing });
  const { input, sent } = pump(source);
  input.grant(0xffff_ffff);
  source.push(Buffer.alloc(1_000_000));
  for (let turns = 0; turns < 5; turns += 1) await new Promise(setImmediate);
  expect(sent).toEqual([65_536]);
  expect(source.isPaused()).toBe(true);
  input.end();
  expect(source.readableLength).toBe(1_000_000 - 65_536);
  for (const event of ['data', 'end', 'close', 'error']) expect(source.listenerCount(event)).toBe(0);
});

test('a source that somebody else makes flow is a failure: nothing of it is lost in silence, or held without bound', async () => {
  const source = new Readable({ read: nothing });
  const { input, sent, failed } = pump(source);
  input.grant(1);
  source.push('ab');
  await new Promise(setImmediate);
  expect(source.isPaused()).toBe(true);
  source.resume();
  source.push('cd');
  expect(await failed).toMatchObject(FAILED);
  expect(sent).toEqual([1]);
});

test('a source that somebody reads already is a failure', async () => {
  const source = new Readable({ read: nothing }).on('data', nothing);
  const { input, sent, failed } = pump(source);
  input.grant(1);
  source.push('ab');
  expect(await failed).toMatchObject(FAILED);
  expect(sent).toEqual([]);
  input.end();
  expect(source.isPaused()).toBe(false);
});

test('what was read and not sent goes back for who reads on', async () => {
  const source = new Readable({ read: nothing });
  const { input, sent } = pump(source);
  input.grant(2);
  source.push('abcdef');
  await new Promise(setImmediate);
  const chunks: string[] = [];
  source.on('data', (chunk) => chunks.push(String(chunk)));
  input.end();
  input.grant(100);
  source.push('ghi');
  await new Promise(setImmediate);
  expect(sent).toEqual([2]);
  expect(chunks.join('')).toBe('cdefghi');
});
