import type { Writable } from 'node:stream';
import type { RefusalCode, Stdio } from '../interface/codec.ts';
import { SingletonError } from '../interface/errors.ts';
import type { Receipt } from '../interface/receipt.ts';
import type { FrameReader } from './frames.ts';
import { decodeExit, decodeWindowUpdate, decodeRefusal, KIND, malformedError } from './messages.ts';
import { deserialize, type Serializer } from './serializer.ts';
import { StdinSender } from './stdin-sender.ts';

/** What a launch that waits has of its host. */
export interface ClientSession<R> {
  readonly codec: string;
  readonly reply: Serializer<R>;
  /** Gives what the host says behind the receipt. */
  readonly reader: FrameReader;
  /** Sends a part of stdin, and calls back when the connection takes more; nothing is its end. */
  readonly send: (bytes: Uint8Array, sent: () => void) => void;
}

/** What the host's last word adds to the receipt. */
export type Result<R> = Pick<Receipt<R>, 'reply' | 'exitCode'>;

/** The client's side of what follows the receipt: passes on output and input until the host's last word. */
export async function runSession<R>(line: ClientSession<R>, streams: Stdio, signal: AbortSignal): Promise<Result<R>> {
  const broken = new AbortController();
  const ended = new AbortController();
  const input = new StdinSender(
    () => streams.stdin,
    line.send,
    (error) => broken.abort(error),
  );
  try {
    const over = AbortSignal.any([signal, broken.signal, ended.signal]);
    return await Promise.race([rejectOnAbort(over), readResult(line, streams, input, over)]);
  } finally {
    input.end();
    ended.abort();
  }
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

async function readResult<R>(
  { codec, reply, reader }: ClientSession<R>,
  streams: Stdio,
  input: StdinSender,
  over: AbortSignal,
): Promise<Result<R>> {
  for (;;) {
    const frame = await reader.read();
    switch (frame.kind) {
      case KIND.stdout:
        await writeOutput(frame.body, streams.stdout, over);
        break;
      case KIND.stderr:
        await writeOutput(frame.body, streams.stderr, over);
        break;
      case KIND.pull:
        input.grant(decodeWindowUpdate(frame));
        break;
      case KIND.reply:
        return { reply: deserialize(codec, reply, frame.body), exitCode: 0 };
      case KIND.exit:
        return { exitCode: decodeExit(frame) };
      case KIND.refusal:
        throw refusalError(decodeRefusal(frame));
      default:
        throw malformedError(`output, a pull or a last word, got a frame of kind ${frame.kind}`);
    }
  }
}

/** Waits for the output, so that the host waits too; not when all is over. */
function writeOutput(bytes: Uint8Array, output: Writable, over: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: Error | null): void => {
      output.off('close', onClose);
      over.removeEventListener('abort', onOver);
      // Where the write failed, its event comes behind the callback.
      if (!error) output.off('error', ignore);
      if (error) reject(outputError(error));
      else resolve();
    };
    const onClose = (): void => settle(output.errored ?? new Error('it was closed'));
    // The write is still to call back.
    const onOver = (): void => resolve();
    output.on('error', ignore).once('close', onClose);
    over.addEventListener('abort', onOver, { once: true });
    try {
      output.write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), settle);
    } catch (error) {
      settle(error instanceof Error ? error : new Error(String(error)));
    }
  });
}

function ignore(): void {}

function outputError(cause: Error): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_CONNECTION_FAILED',
    "The host's output could not be written; this launch has left it.",
    { cause },
  );
}

function refusalError(refusal: RefusalCode | 'not-taken'): SingletonError {
  const reason = refusal === 'not-taken' ? undefined : REASONS[refusal];
  if (refusal === 'not-taken' || reason === undefined) throw malformedError('a last word; got a refusal that is none');
  return new SingletonError(refusal, `The host took the launch and gave no answer: ${reason}.`);
}

const REASONS: Readonly<Partial<Record<RefusalCode, string>>> = {
  ERR_SINGLETON_OBSERVER_FAILED: 'a listener of it failed. Look at what the host printed',
  ERR_SINGLETON_RELEASED: 'it gave up its endpoint or ended. Launch again',
  ERR_SINGLETON_MALFORMED_MESSAGE: 'it could not read what this launch sent. It may be another version of the program',
};
