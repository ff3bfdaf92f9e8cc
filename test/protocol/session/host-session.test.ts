import { type Duplex, PassThrough, Readable, type Writable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Completion } from '../../../src/core/host/completion.ts';
import { frames } from '../../../src/protocol/frames.ts';
import { HostSession } from '../../../src/protocol/session/host-session.ts';
import { KIND } from '../../../src/protocol/messages.ts';
import { duplexPair } from '../../helpers/duplex-pair.ts';

const options = { maxMessageBytes: 65_536, secret: undefined, name: '' };
const text = {
  serialize: (value: string): Uint8Array => Buffer.from(value),
  deserialize: (bytes: Uint8Array): string => Buffer.from(bytes).toString(),
};

/** A session whose only listener has returned without a result, and the client's end of its connection. */
function sessionOf(listener: (session: HostSession<string>) => void): {
  readonly session: HostSession<string>;
  readonly launch: Duplex;
  readonly hasEnded: () => boolean;
} {
  const [launch, connection] = duplexPair();
  const session = new HostSession({ name: 'text', args: text, reply: text, frames }, connection, options);
  let hasEnded = false;
  void session.finished.then(() => (hasEnded = true));
  session.open();
  const completion = new Completion(
    session,
    () => {},
    () => {},
  );
  completion.begin();
  listener(session);
  completion.add([true]);
  completion.finish();
  completion.dispatched();
  return { session, launch, hasEnded: () => hasEnded };
}

function ignore(): void {}

function same(bytes: Uint8Array): Uint8Array {
  return bytes;
}

/** Lets everything happen that does not wait for time. */
async function settle(): Promise<void> {
  for (let turns = 0; turns < 20; turns += 1) await turn();
}

/** Longer than the delay between the last use of a stream and the end of the session. */
async function passExitDelay(): Promise<void> {
  await settle();
  vi.advanceTimersByTime(1000);
  await settle();
}

/** Writes until the stream stays full: the streams below it buffer more on some versions of Node. */
async function fill(stream: Writable): Promise<void> {
  do {
    while (stream.write(Buffer.alloc(60_000)));
    await settle();
  } while (!stream.writableNeedDrain);
}

describe('HostSession, without a result,', () => {
  beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
  afterEach(() => vi.useRealTimers());

  it('ends when no stream is in use', async () => {
    const { hasEnded } = sessionOf(ignore);
    await passExitDelay();
    expect(hasEnded()).toBe(true);
  });

  it('stays open while a second source is piped after the first has ended', async () => {
    const second = new PassThrough();
    const { session, launch, hasEnded } = sessionOf(({ stdout }) =>
      Readable.from(['first']).pipe(stdout, { end: false }),
    );
    launch.resume();
    await settle();
    second.pipe(session.stdout, { end: false });
    await passExitDelay();
    expect(hasEnded()).toBe(false);
    second.end('second');
    await passExitDelay();
    expect(hasEnded()).toBe(true);
  });

  it('ends when a source has ended that had to wait for the client', async () => {
    const source = Readable.from(Array.from({ length: 20 }, () => Buffer.alloc(60_000)));
    const { launch, hasEnded } = sessionOf(({ stdout }) => source.pipe(stdout, { end: false }));
    await settle();
    expect(source.readableEnded).toBe(false);
    launch.resume();
    await passExitDelay();
    expect(source.readableEnded).toBe(true);
    expect(hasEnded()).toBe(true);
  });

  it("stays open while a writer waits for 'drain', and ends when it writes no more", async () => {
    const { session, launch, hasEnded } = sessionOf(({ stdout }) => stdout.on('drain', ignore));
    await fill(session.stdout);
    await passExitDelay();
    expect(hasEnded()).toBe(false);
    launch.resume();
    await settle();
    // A writer may write more a moment after 'drain'.
    vi.advanceTimersByTime(100);
    await settle();
    expect(hasEnded()).toBe(false);
    await passExitDelay();
    expect(hasEnded()).toBe(true);
  });

  it.each(['data', 'readable'] as const)('ends when the "%s" listener of stdin was removed', async (event) => {
    const { session, hasEnded } = sessionOf(({ stdin }) => stdin.on(event, ignore));
    await passExitDelay();
    expect(hasEnded()).toBe(false);
    session.stdin.off(event, ignore).pause();
    await passExitDelay();
    expect(hasEnded()).toBe(true);
  });

  it('ends when all listeners of stdin were removed', async () => {
    const { session, hasEnded } = sessionOf(({ stdin }) => stdin.on('readable', ignore));
    await passExitDelay();
    expect(hasEnded()).toBe(false);
    session.stdin.removeAllListeners('readable');
    await passExitDelay();
    expect(hasEnded()).toBe(true);
  });

  it('ends when stdin is no longer resumed', async () => {
    const { session, hasEnded } = sessionOf(({ stdin }) => stdin.resume());
    await passExitDelay();
    expect(hasEnded()).toBe(false);
    session.stdin.pause();
    await passExitDelay();
    expect(hasEnded()).toBe(true);
  });

  it('stays open for a listener of stdin that is added just after an output has ended', async () => {
    const { session, hasEnded } = sessionOf(({ stdout }) => Readable.from(['x']).pipe(stdout, { end: false }));
    await settle();
    session.stdin.on('data', ignore);
    await passExitDelay();
    expect(hasEnded()).toBe(false);
    session.push(frames.encode({ kind: KIND.stdin, body: new Uint8Array() }));
    await passExitDelay();
    expect(hasEnded()).toBe(true);
  });
});

describe('HostSession.reply', () => {
  it('sends a copy that later changes of the value do not reach', async () => {
    const raw = { serialize: same, deserialize: same };
    const [launch, connection] = duplexPair();
    const session = new HostSession({ name: 'raw', args: raw, reply: raw, frames }, connection, options);
    session.open();
    while (session.stdout.write(Buffer.alloc(60_000)));
    const reply = Uint8Array.of(1, 2, 3);
    session.reply(reply);
    session.end();
    reply.fill(9);
    const chunks: Buffer[] = [];
    launch.on('data', (chunk: Buffer) => chunks.push(chunk));
    await session.finished;
    await settle();
    expect(Buffer.concat(chunks).subarray(-3)).toEqual(Buffer.of(1, 2, 3));
  });
});
