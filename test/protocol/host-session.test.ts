import { type Duplex, PassThrough, Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { frames } from '../../src/protocol/frames.ts';
import { HostSession } from '../../src/protocol/host-session.ts';
import { KIND } from '../../src/protocol/messages.ts';
import { duplexPair } from '../helpers/duplex-pair.ts';

const terms = { maxMessageBytes: 65_536, secret: undefined, name: '' };
const text = {
  serialize: (value: string): Uint8Array => Buffer.from(value),
  deserialize: (bytes: Uint8Array): string => Buffer.from(bytes).toString(),
};

/** A dialogue whose only listener has returned without a last word, and the launch's end of its connection. */
function dialogueOf(listener: (dialogue: HostSession<string>) => void): {
  readonly dialogue: HostSession<string>;
  readonly launch: Duplex;
  readonly hasEnded: () => boolean;
} {
  const [launch, connection] = duplexPair();
  const dialogue = new HostSession({ name: 'text', args: text, reply: text, frames }, connection, terms);
  let hasEnded = false;
  void dialogue.finished.then(() => (hasEnded = true));
  dialogue.open();
  listener(dialogue);
  dialogue.attended({ called: 1, pending: 0, hasFailed: false, allCalled: true, isCalling: false });
  return { dialogue, launch, hasEnded: () => hasEnded };
}

function ignore(): void {}

function same(bytes: Uint8Array): Uint8Array {
  return bytes;
}

/** Lets everything happen that does not wait for time. */
async function settle(): Promise<void> {
  for (let turns = 0; turns < 20; turns += 1) await turn();
}

/** More than it takes until a stream that is used no more ends the conversation. */
async function aMoment(): Promise<void> {
  await settle();
  vi.advanceTimersByTime(1000);
  await settle();
}

describe('a conversation that nobody ended', () => {
  beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
  afterEach(() => vi.useRealTimers());

  it('ends where no stream is in use', async () => {
    const { hasEnded } = dialogueOf(ignore);
    await aMoment();
    expect(hasEnded()).toBe(true);
  });

  it('goes on while a second source is piped, although the first has ended', async () => {
    const second = new PassThrough();
    const { dialogue, launch, hasEnded } = dialogueOf(({ stdout }) =>
      Readable.from(['first']).pipe(stdout, { end: false }),
    );
    launch.resume();
    await settle();
    second.pipe(dialogue.stdout, { end: false });
    await aMoment();
    expect(hasEnded()).toBe(false);
    second.end('second');
    await aMoment();
    expect(hasEnded()).toBe(true);
  });

  it('ends when a source has ended that had to wait for the launch', async () => {
    const source = Readable.from(Array.from({ length: 20 }, () => Buffer.alloc(60_000)));
    const { launch, hasEnded } = dialogueOf(({ stdout }) => source.pipe(stdout, { end: false }));
    await settle();
    expect(source.readableEnded).toBe(false);
    launch.resume();
    await aMoment();
    expect(source.readableEnded).toBe(true);
    expect(hasEnded()).toBe(true);
  });

  it('goes on for who waits to write more, and ends when there was no more to write', async () => {
    const { dialogue, launch, hasEnded } = dialogueOf(({ stdout }) => stdout.on('drain', ignore));
    while (dialogue.stdout.write(Buffer.alloc(60_000)));
    await aMoment();
    expect(hasEnded()).toBe(false);
    launch.resume();
    await aMoment();
    expect(hasEnded()).toBe(true);
  });

  it.each(['data', 'readable'] as const)('ends when who read stdin by "%s" has left it', async (event) => {
    const { dialogue, hasEnded } = dialogueOf(({ stdin }) => stdin.on(event, ignore));
    await aMoment();
    expect(hasEnded()).toBe(false);
    dialogue.stdin.off(event, ignore).pause();
    await aMoment();
    expect(hasEnded()).toBe(true);
  });

  it('ends when all who read stdin were removed', async () => {
    const { dialogue, hasEnded } = dialogueOf(({ stdin }) => stdin.on('readable', ignore));
    await aMoment();
    expect(hasEnded()).toBe(false);
    dialogue.stdin.removeAllListeners('readable');
    await aMoment();
    expect(hasEnded()).toBe(true);
  });

  it('ends when stdin is discarded no more', async () => {
    const { dialogue, hasEnded } = dialogueOf(({ stdin }) => stdin.resume());
    await aMoment();
    expect(hasEnded()).toBe(false);
    dialogue.stdin.pause();
    await aMoment();
    expect(hasEnded()).toBe(true);
  });

  it('goes on for who comes to read stdin when an output has just ended', async () => {
    const { dialogue, hasEnded } = dialogueOf(({ stdout }) => Readable.from(['x']).pipe(stdout, { end: false }));
    await settle();
    dialogue.stdin.on('data', ignore);
    await aMoment();
    expect(hasEnded()).toBe(false);
    dialogue.push(frames.encode({ kind: KIND.stdin, body: new Uint8Array() }));
    await aMoment();
    expect(hasEnded()).toBe(true);
  });
});

it('a reply that waits for the output is what it was when it was said', async () => {
  const raw = { serialize: same, deserialize: same };
  const [launch, connection] = duplexPair();
  const dialogue = new HostSession({ name: 'raw', args: raw, reply: raw, frames }, connection, terms);
  dialogue.open();
  while (dialogue.stdout.write(Buffer.alloc(60_000)));
  const reply = Uint8Array.of(1, 2, 3);
  dialogue.attended({ called: 1, pending: 0, hasFailed: false, allCalled: true, isCalling: false });
  dialogue.reply(reply);
  reply.fill(9);
  const chunks: Buffer[] = [];
  launch.on('data', (chunk: Buffer) => chunks.push(chunk));
  await dialogue.finished;
  await settle();
  expect(Buffer.concat(chunks).subarray(-3)).toEqual(Buffer.of(1, 2, 3));
});
