import type { Writable } from 'node:stream';
import type { RefusalCode, Terminals } from '../../interface/protocol.ts';
import type { ClientReport, Stdio, WatchClient } from '../../interface/session.ts';
import { OutputError, SingletonError, malformedError } from '../../interface/errors.ts';
import type { Receipt } from '../../interface/receipt.ts';
import type { FrameReader, FrameWriter } from '../frames.ts';
import { decodeRefusal, KIND } from '../messages.ts';
import { deserialize, type Serializer } from '../serializer.ts';
import { decodeExit, decodeWindowUpdate, encodeResize, encodeSignal } from './messages.ts';
import { StdinSender } from './stdin-sender.ts';

/** The client's side of a session. */
export interface ClientSession<R> {
  readonly codec: string;
  readonly reply: Serializer<R>;
  /** Reads the frames after the receipt. */
  readonly reader: FrameReader;
  readonly writer: FrameWriter;
  /** Those of the launch. */
  readonly terminals?: Terminals | undefined;
  readonly watch?: WatchClient | undefined;
}

/** What the result adds to the receipt. */
export type Result<R> = Pick<Receipt<R>, 'reply' | 'exitCode'>;

/** Forwards output and stdin until the result arrives. */
export async function runSession<R>(session: ClientSession<R>, stdio: Stdio, signal: AbortSignal): Promise<Result<R>> {
  const stdinFailed = new AbortController();
  const finished = new AbortController();
  const stdin = new StdinSender(
    () => stdio.stdin,
    (body, sent) => session.writer.write({ kind: KIND.stdin, body }, sent),
    (error) => stdinFailed.abort(error),
  );
  let unwatch: (() => void) | undefined;
  try {
    unwatch = session.watch?.(reporter(session));
    const stopSignal = AbortSignal.any([signal, stdinFailed.signal, finished.signal]);
    return await Promise.race([rejectOnAbort(stopSignal), readResult(session, stdio, stdin, stopSignal)]);
  } finally {
    unwatch?.();
    stdin.end();
    finished.abort();
  }
}

/** Sends signals, and the terminals of the launch that have changed since it was sent. */
function reporter<R>({ writer, terminals = {} }: ClientSession<R>): ClientReport {
  const known = new Map(encodeResize(terminals).map(({ body }) => [body[0], body]));
  return {
    terminals(current) {
      for (const frame of encodeResize(current)) {
        const [stream] = frame.body;
        const before = known.get(stream);
        if (!before || Buffer.compare(before, frame.body) === 0) continue;
        known.set(stream, frame.body);
        writer.write(frame);
      }
    },
    signal: (name) => writer.write(encodeSignal(name)),
  };
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

async function readResult<R>(
  { codec, reply, reader }: ClientSession<R>,
  stdio: Stdio,
  stdin: StdinSender,
  signal: AbortSignal,
): Promise<Result<R>> {
  for (;;) {
    const frame = await reader.read();
    // What arrives after the launch was rejected is not written.
    signal.throwIfAborted();
    switch (frame.kind) {
      case KIND.stdout:
        await writeOutput(frame.body, stdio.stdout, signal);
        break;
      case KIND.stderr:
        await writeOutput(frame.body, stdio.stderr, signal);
        break;
      case KIND.windowUpdate:
        stdin.grant(decodeWindowUpdate(frame));
        break;
      case KIND.reply:
        return { reply: deserialize(codec, reply, frame.body), exitCode: 0 };
      case KIND.exit:
        return { exitCode: decodeExit(frame) };
      case KIND.refusal:
        throw refusalError(decodeRefusal(frame).refusal);
      default:
        throw malformedError(`output, a window update or a result, got a frame of kind ${frame.kind}`);
    }
  }
}

/** Resolves when the bytes are written, so that a slow output slows the host down, or when the signal aborts. */
function writeOutput(bytes: Uint8Array, output: Writable, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: Error | null): void => {
      output.off('close', onClose);
      signal.removeEventListener('abort', onAbort);
      // On failure "error" fires after the write callback, so keep the handler.
      if (!error) output.off('error', ignore);
      if (error) reject(new OutputError(error));
      else resolve();
    };
    const onClose = (): void => settle(output.errored ?? new Error('The stream was closed.'));
    // Keep the handlers: the write callback is still pending.
    const onAbort = (): void => resolve();
    output.on('error', ignore).once('close', onClose);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      output.write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), settle);
    } catch (error) {
      // `any`: an error of another realm is no `Error` of this one.
      const failure: any = Object(error).message === undefined ? new Error(String(error)) : error;
      settle(failure);
    }
  });
}

function ignore(): void {}

function refusalError(refusal: RefusalCode | 'not-taken'): SingletonError {
  const reason = refusal === 'not-taken' ? undefined : REASONS[refusal];
  if (refusal === 'not-taken' || reason === undefined)
    throw malformedError('a result, got a refusal that cannot follow a receipt');
  return new SingletonError(refusal, `The host accepted the launch but sent no result: ${reason}.`);
}

const REASONS: Readonly<Partial<Record<RefusalCode, string>>> = {
  ERR_SINGLETON_LISTENER_FAILED: 'one of its listeners failed. See the warnings of the host',
  ERR_SINGLETON_RELEASED: 'it was released or exited. The launch may have run: check before you repeat it',
  ERR_SINGLETON_MALFORMED_MESSAGE:
    'it could not decode what was sent after the launch. Run the same version of the program on both sides',
};
