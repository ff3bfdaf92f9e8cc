import { PassThrough, Readable, Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { runSession } from '../../../src/protocol/session/client-session.ts';
import { FrameReader, FrameWriter, frames } from '../../../src/protocol/frames.ts';
import { KIND } from '../../../src/protocol/messages.ts';
import { encodeExit } from '../../../src/protocol/session/messages.ts';
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
});

/** A session whose host has sent these bytes. */
function run(bytes: Uint8Array, stdout: Writable, signal: AbortSignal): Promise<unknown> {
  const [host, client] = duplexPair();
  host.write(bytes);
  const reader = new FrameReader(client, frames.createDecoder({ maxMessageBytes: 1024 }));
  const reply = { serialize: (text: string) => Buffer.from(text), deserialize: String };
  return runSession(
    { codec: 'text', reply, reader, writer: new FrameWriter(client, frames) },
    { stdout, stderr: new PassThrough(), stdin: Readable.from([]) },
    signal,
  );
}
