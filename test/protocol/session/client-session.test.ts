import { type Duplex, PassThrough, Readable, Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { type ClientSession, runSession } from '../../../src/protocol/session/client-session.ts';
import { FrameReader, FrameWriter, frames } from '../../../src/protocol/frames.ts';
import { StreamReader } from '../../../src/protocol/read.ts';
import type { ClientReport, WatchClient } from '../../../src/interface/session.ts';
import { type Frame, KIND } from '../../../src/protocol/messages.ts';
import { encodeExit, encodeResize, encodeSignal } from '../../../src/protocol/session/messages.ts';
import { twoTurns } from '../../../src/interface/timers.ts';
import { duplexPair } from '../../helpers/duplex-pair.ts';

const OUTPUT = frames.encode({ kind: KIND.stdout, body: Buffer.from('output') });
const EXIT = frames.encode(encodeExit(0));

describe('runSession', () => {
  it('writes no output after it has rejected', async () => {
    const controller = new AbortController();
    const events: string[] = [];
    const stdout = new Writable({
      write(_chunk, _encoding, done) {
        events.push('output');
        controller.abort(new Error('enough'));
        done();
      },
    });
    const running = run(Buffer.concat([OUTPUT, OUTPUT, OUTPUT, EXIT]), stdout, controller.signal);
    await running.catch((error: Error) => events.push(error.message));
    await twoTurns();
    expect(events).toEqual(['output', 'enough']);
  });

  it('sends the signals that are reported, and the terminals of the launch that have changed since', async () => {
    const { host, report, running } = watched();
    report.terminals({ stdout: TERMINAL });
    report.terminals({ stdout: { ...TERMINAL, columns: 132 }, stderr: TERMINAL });
    report.signal('SIGINT');
    report.terminals({ stdout: { ...TERMINAL, columns: 132 } });
    report.terminals({ stdout: TERMINAL });
    report.signal('SIGINT');
    await twoTurns();
    const signal = encodeSignal('SIGINT');
    const sizes = [132, 80].flatMap((columns) => encodeResize({ stdout: { ...TERMINAL, columns } }));
    const expected = Buffer.concat([sizes[0], signal, sizes[1], signal].flatMap(encode));
    expect(host.read(expected.length)).toEqual(expected);
    expect(host.read()).toBeNull();
    host.write(EXIT);
    await running;
  });

  it.each<[string, (session: ReturnType<typeof watched>) => unknown]>([
    ['by a result', ({ host }) => host.write(EXIT)],
    ['by an error of the host', ({ host }) => host.write(frames.encode({ kind: KIND.launch, body: new Uint8Array() }))],
    ['by a lost connection', ({ host }) => host.destroy()],
    ['by its signal', ({ controller }) => controller.abort(new Error('enough'))],
  ])('ends to watch the client when it has ended %s', async (_, end) => {
    const session = watched();
    expect(session.isWatched()).toBe(true);
    end(session);
    await session.running.catch(() => {});
    expect(session.isWatched()).toBe(false);
  });
});

const TERMINAL = { columns: 80, rows: 24, colorDepth: 8 };

function encode(frame: Frame | undefined): readonly Uint8Array[] {
  return frame ? [frames.encode(frame)] : [];
}

/** A session of a launch with a terminal as stdout, whose client is watched. */
function watched() {
  const [host, client] = duplexPair();
  let report: ClientReport = { terminals: () => {}, signal: () => {} };
  let isWatched = false;
  const watch: WatchClient = (given) => {
    report = given;
    isWatched = true;
    return () => (isWatched = false);
  };
  const controller = new AbortController();
  const session = { ...sessionOf(client), terminals: { stdout: TERMINAL }, watch };
  const streams = { stdout: new PassThrough(), stderr: new PassThrough(), stdin: Readable.from([]) };
  const running = runSession(session, streams, controller.signal);
  return { host, report, running, controller, isWatched: () => isWatched };
}

/** A session whose host has sent these bytes. */
function run(bytes: Uint8Array, stdout: Writable, signal: AbortSignal): Promise<unknown> {
  const [host, client] = duplexPair();
  host.write(bytes);
  return runSession(sessionOf(client), { stdout, stderr: new PassThrough(), stdin: Readable.from([]) }, signal);
}

function sessionOf(client: Duplex): ClientSession<string> {
  const reader = new FrameReader(new StreamReader(client), frames.createDecoder({ maxMessageBytes: 1024 }));
  const reply = { serialize: (text: string) => Buffer.from(text), deserialize: String };
  const writer = new FrameWriter(client, frames);
  writer.uncork();
  return { codec: 'text', reply, reader, writer };
}
