import { type Duplex, PassThrough, Readable, type Writable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Completion } from '../../../src/core/host/dispatch/completion.ts';
import { frames } from '../../../src/protocol/frames.ts';
import { HostSession } from '../../../src/protocol/session/host-session.ts';
import { encodeRefusal, type Frame, KIND } from '../../../src/protocol/messages.ts';
import { encodeExit, encodeResize, encodeSignal } from '../../../src/protocol/session/messages.ts';
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

const TERMINAL = { columns: 80, rows: 24, colorDepth: 8 };

/** A session of a launch with a terminal as stdout, whose listener has not settled. `signals` are those that arrived. */
function terminalSession() {
  const [launch, connection] = duplexPair();
  const session = new HostSession({ name: 'text', args: text, reply: text, frames }, connection, options, {
    stdout: TERMINAL,
  });
  session.open();
  const signals: string[] = [];
  session.onSignal = (signal) => signals.push(signal);
  const chunks: Buffer[] = [];
  launch.on('data', (chunk: Buffer) => chunks.push(chunk));
  const sent = (): readonly Frame[] => frames.createDecoder({ maxMessageBytes: 65_537 }).push(Buffer.concat(chunks));
  return { session, signals, sent };
}

function encodeAll(...list: readonly (Frame | readonly Frame[])[]): Buffer {
  return Buffer.concat(list.flat().map((frame) => frames.encode(frame)));
}

function resizeOf(body: Uint8Array): Frame {
  return { kind: KIND.resize, body };
}

function signalOf(name: string): Frame {
  return { kind: KIND.signal, body: Buffer.from(name) };
}

describe('HostSession.push', () => {
  it('takes the size of a terminal, also from a longer value', async () => {
    const { session } = terminalSession();
    const sizes: unknown[] = [];
    session.stdout.on('resize', () => sizes.push(session.stdout.getWindowSize()));
    session.push(encodeAll(encodeResize({ stdout: { columns: 132, rows: 50, colorDepth: 24 } })));
    expect(session.stdout.getColorDepth()).toBe(24);
    await settle();
    session.push(encodeAll(resizeOf(Uint8Array.of(1, 8, 0, 40, 0, 10, 99))));
    await settle();
    expect(sizes).toEqual([
      [132, 50],
      [40, 10],
    ]);
  });

  it('ignores the size of an output that is no terminal, and of a stream that it does not know', async () => {
    const { session } = terminalSession();
    session.push(
      encodeAll(encodeResize({ stderr: { ...TERMINAL, columns: 1 } }), resizeOf(Uint8Array.of(9, 8, 0, 1, 0, 1))),
    );
    await settle();
    expect([session.stderr.isTTY, session.stderr.columns, session.stdout.columns]).toEqual([undefined, undefined, 80]);
    expect(session.signal.aborted).toBe(false);
  });

  it('reports signals, also of other systems, until the result is sent', async () => {
    const { session, signals } = terminalSession();
    session.push(encodeAll(encodeSignal('SIGINT'), encodeSignal('SIGWHATEVER0')));
    session.exit(0);
    session.push(encodeAll(encodeSignal('SIGTERM')));
    session.end();
    await session.finished;
    session.push(encodeAll(encodeSignal('SIGHUP')));
    expect(signals).toEqual(['SIGINT', 'SIGWHATEVER0', 'SIGTERM']);
  });

  it('refuses more than 1024 signals, each of which may take memory', async () => {
    const { session, signals } = terminalSession();
    session.push(encodeAll(...Array.from({ length: 1025 }, () => encodeSignal('SIGUSR1'))));
    await expect(session.finished).rejects.toMatchObject({ code: 'ERR_SINGLETON_MALFORMED_MESSAGE' });
    expect(signals).toHaveLength(1024);
  });

  it.each<[string, Frame]>([
    ['a resize that is too short', resizeOf(Uint8Array.of(1, 8, 0, 80, 0))],
    ['a resize without a byte', resizeOf(new Uint8Array())],
    ['a signal without a name', signalOf('')],
    ['a signal in lower case', signalOf('sigint')],
    ['a signal of 17 characters', signalOf('SIGINT'.padEnd(17, 'X'))],
    ['a frame that only a host sends', { kind: KIND.stdout, body: Uint8Array.of(1) }],
    ['a kind below 128 that it does not know', { kind: 16, body: new Uint8Array() }],
  ])('refuses %s as malformed', async (_, frame) => {
    const { session, signals, sent } = terminalSession();
    session.push(encodeAll(frame, encodeSignal('SIGINT')));
    await expect(session.finished).rejects.toMatchObject({ code: 'ERR_SINGLETON_MALFORMED_MESSAGE' });
    await settle();
    expect(sent()).toEqual([encodeRefusal('ERR_SINGLETON_MALFORMED_MESSAGE')].map(comparable));
    expect(session.signal.aborted).toBe(true);
    expect(signals).toEqual([]);
  });

  it('keeps nothing of a flood of sizes and signals', async () => {
    const { session, signals } = terminalSession();
    let resizes = 0;
    session.stdout.on('resize', () => (resizes += 1));
    const sizes = Array.from({ length: 1000 }, (_, rows) => encodeResize({ stdout: { ...TERMINAL, rows } }));
    for (let time = 0; time < 10; time += 1) session.push(encodeAll(...sizes));
    await settle();
    expect([resizes, session.stdout.rows]).toEqual([1, 999]);
    session.kill('SIGINT', 130);
    session.push(encodeAll(...Array.from({ length: 1000 }, () => encodeSignal('SIGINT'))));
    expect(signals).toEqual([]);
  });
});

describe('HostSession.kill', () => {
  it('sends the status, drops what was not sent, destroys the streams and aborts the signal', async () => {
    const { session, sent } = terminalSession();
    session.stdout.write('sent');
    await settle();
    session.stdout.cork();
    session.stdout.write('not sent');
    session.kill('SIGINT', 130);
    expect(await session.finished).toBe(true);
    await settle();
    expect(sent()).toEqual([{ kind: KIND.stdout, body: Buffer.from('sent') }, encodeExit(130)].map(comparable));
    expect([session.stdout, session.stderr, session.stdin].map(({ destroyed }) => destroyed)).toEqual([
      true,
      true,
      true,
    ]);
    expect(session.signal.reason).toMatchObject({ code: 'ERR_SINGLETON_CONNECTION_FAILED' });
    expect(session.signal.reason.message).toContain('SIGINT');
    expect([session.reply('late'), session.exit(0), session.isSettled]).toEqual([false, false, true]);
  });

  it('takes no frame after it', async () => {
    const { session, sent } = terminalSession();
    session.onSignal = (signal) => session.kill(signal, 130);
    session.push(encodeAll(encodeSignal('SIGINT'), { kind: KIND.stdin, body: Uint8Array.of(1) }));
    await settle();
    expect(sent()).toEqual([encodeExit(130)].map(comparable));
  });

  it('ends a launch whose result waits for a listener at work, and changes nothing after it was sent', async () => {
    const [waiting, sentAlready] = [terminalSession(), terminalSession()];
    waiting.session.exit(3);
    waiting.session.kill('SIGINT', 130);
    sentAlready.session.exit(3);
    sentAlready.session.end();
    await sentAlready.session.finished;
    sentAlready.session.kill('SIGINT', 130);
    await settle();
    expect(waiting.sent()).toEqual([encodeExit(130)].map(comparable));
    expect(sentAlready.sent()).toEqual([encodeExit(3)].map(comparable));
  });
});

/** Bodies that were decoded are no buffers. */
function comparable({ kind, body }: Frame): Frame {
  return { kind, body: new Uint8Array(body) };
}

/** The kinds and the bodies of the output that arrives at the client. */
async function framesOf(write: (session: HostSession<string>) => void): Promise<readonly string[]> {
  const received: string[] = [];
  const decoder = frames.createDecoder(options);
  const { launch, session } = sessionOf(() => {});
  launch.on('data', (chunk: Uint8Array) => {
    for (const { kind, body } of decoder.push(chunk)) {
      const isOutput = kind === KIND.stdout || kind === KIND.stderr;
      if (isOutput) received.push(`${kind} ${Buffer.from(body).toString()}`);
    }
  });
  write(session);
  await settle();
  session.abort();
  return received;
}

describe('output', () => {
  it('that is written in one turn is one frame', async () => {
    const received = await framesOf(({ stdout }) => {
      for (const line of ['a', 'b', 'c']) stdout.write(line);
      process.nextTick(() => process.nextTick(() => stdout.write('d')));
    });
    expect(received).toEqual([`${KIND.stdout} abc`, `${KIND.stdout} d`]);
  });

  it('keeps its order between stdout and stderr', async () => {
    const received = await framesOf(({ stdout, stderr }) => {
      stdout.write('a');
      stdout.write('b');
      stderr.write('c');
      stdout.write('d');
    });
    expect(received).toEqual([`${KIND.stdout} ab`, `${KIND.stderr} c`, `${KIND.stdout} d`]);
  });

  it('arrives before the end of a session that is aborted in the same turn', async () => {
    const received = await framesOf((session) => {
      session.stderr.write('last words');
      session.abort();
    });
    expect(received[0]).toBe(`${KIND.stderr} last words`);
  });

  it('calls back for each write, and emits drain, when it was sent', async () => {
    const sent: string[] = [];
    await framesOf(({ stdout }) => {
      expect(stdout.write(Buffer.alloc(9000), () => sent.push('first'))).toBe(true);
      expect(stdout.write(Buffer.alloc(9000), () => sent.push('second'))).toBe(false);
      stdout.once('drain', () => sent.push('drain'));
    });
    expect(sent.toSorted()).toEqual(['drain', 'first', 'second']);
  });
});
