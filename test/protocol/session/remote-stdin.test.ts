import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { RemoteStdin } from '../../../src/protocol/session/remote-stdio.ts';
import { StdinSender } from '../../../src/protocol/session/stdin-sender.ts';

const nothing = (): void => {};

describe('RemoteStdin', () => {
  it('buffers bytes and not chunks when it is not read', async () => {
    const input = new RemoteStdin(nothing, nothing);
    input.read(0);
    for (let count = 0; count < 100_000; count += 1) input.receive(Uint8Array.of(count));
    input.receive(new Uint8Array());
    const chunks: Uint8Array[] = [];
    for await (const chunk of input) chunks.push(chunk);
    expect(chunks.length).toBeLessThan(5);
    expect(Buffer.concat(chunks).length).toBe(100_000);
  });

  it('sends a window update when half was read, and never exceeds the window', async () => {
    const updates: number[] = [];
    const input = new RemoteStdin((bytes) => updates.push(bytes), nothing);
    const read = buffer(input);
    for (let count = 0; count < 8; count += 1) {
      while (updates.length === 0) await new Promise(setImmediate);
      input.receive(new Uint8Array(updates.shift() ?? 0));
    }
    input.receive(new Uint8Array());
    expect((await read).length).toBeGreaterThan(8 * 131_072);
  });

  it.each([
    ['before a window update', (input: RemoteStdin) => input.receive(Uint8Array.of(1))],
    ['after its end', (input: RemoteStdin) => [input.receive(new Uint8Array()), input.receive(new Uint8Array())]],
  ])('refuses bytes that arrive %s as malformed', (_, act) => {
    expect(() => act(new RemoteStdin(nothing, nothing))).toThrow(
      expect.objectContaining({ code: 'ERR_SINGLETON_MALFORMED_MESSAGE' }),
    );
  });
});

/** A sender of the source, the lengths that it sends, and its failure. */
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

describe('StdinSender', () => {
  it('fails, and sends no end, for a source that was destroyed before', async () => {
    const cause = new Error('disk');
    const source = new PassThrough().on('error', nothing).destroy(cause);
    const { input, sent, failed } = pump(source);
    input.grant(10);
    expect(await failed).toMatchObject({ ...FAILED, cause });
    expect(sent).toEqual([]);
  });

  it('fails for a source in object mode', async () => {
    const { input, sent, failed } = pump(Readable.from([{ a: 1 }]));
    input.grant(10);
    expect(await failed).toMatchObject(FAILED);
    expect(sent).toEqual([]);
  });

  it('writes nothing to a connection that is full, whatever the credit', async () => {
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

  it('fails for a source that other code resumes, instead of losing or buffering its bytes', async () => {
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

  it('fails for a source that already has a reader', async () => {
    const source = new Readable({ read: nothing }).on('data', nothing);
    const { input, sent, failed } = pump(source);
    input.grant(1);
    source.push('ab');
    expect(await failed).toMatchObject(FAILED);
    expect(sent).toEqual([]);
    input.end();
    expect(source.isPaused()).toBe(false);
  });
});

const BYTES = Buffer.from('\u{1f680} é \0 text');

describe('StdinSender, for a source with an encoding or another reader', () => {
  it.each(['utf8', 'utf16le', 'latin1', 'hex', 'base64'] as const)(
    'sends the bytes of a source with the encoding %s',
    async (encoding) => {
      const source = new PassThrough().setEncoding(encoding);
      const sent: Uint8Array[] = [];
      const ended = new Promise<void>((resolve, reject) => {
        const send = (bytes: Uint8Array, done: () => void): void => {
          sent.push(bytes);
          done();
          if (bytes.length === 0) resolve();
        };
        new StdinSender(() => source, send, reject).grant(1000);
      });
      for (const byte of BYTES) source.write(Uint8Array.of(byte));
      source.end();
      await ended;
      expect(Buffer.concat(sent)).toEqual(BYTES);
    },
  );

  it('returns unsent text to a source with an encoding', async () => {
    const source = new PassThrough().setEncoding('hex');
    const { input, sent } = pump(source);
    input.grant(2);
    source.write('abcd');
    await new Promise(setImmediate);
    input.end();
    expect([sent, source.read()]).toEqual([[2], Buffer.from('cd').toString('hex')]);
  });

  it.each(['before', 'after'])('fails for a source that gets a listener of "readable" %s', async (when) => {
    const source = new PassThrough();
    const { input, sent, failed } = pump(source);
    if (when === 'before') source.on('readable', nothing);
    input.grant(10);
    source.on('readable', nothing);
    source.write('ab');
    expect(await failed).toMatchObject(FAILED);
    expect(sent).toEqual([]);
    input.end();
    expect(source.listenerCount('newListener')).toBe(0);
  });

  it('returns unsent bytes to the source', async () => {
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
});
