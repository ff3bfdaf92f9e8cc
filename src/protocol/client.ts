import type { Duplex } from 'node:stream';
import { malformedError, SingletonError, type SingletonErrorCode } from '../interface/errors.ts';
import type {
  AskStatus,
  Deliver,
  Launch,
  OutboundOptions,
  ProtocolOptions,
  RefusalCode,
  StatusData,
} from '../interface/protocol.ts';
import { hostInfoOf, type Receipt } from '../interface/receipt.ts';
import { twoTurns } from '../interface/timers.ts';
import { type Channel, end, opener } from './client-handshake.ts';
import type { FrameReader } from './frames.ts';
import { encodeLaunch } from './launch.ts';
import { decodeReceipt, decodeRefusal, decodeStatus, type Frame, KIND } from './messages.ts';
import { type WireFormat, load, requireSize, serialize } from './serializer.ts';
import { runSession } from './session/client-session.ts';

const EMPTY = new Uint8Array(0);

/** The client's side of the structured protocol. Sends nothing of the launch before it has read a host hello. */
export function outbound<T, R>(wireFormat: WireFormat<T, R>, launch: Launch<T>, options: OutboundOptions): Deliver<R> {
  const { name: codec, reply, frames } = wireFormat;
  const packed = { ...launch, args: serialize(codec, wireFormat.args, launch.args) };
  const frame = encodeLaunch(packed);
  requireSize(frame, options.maxMessageBytes);
  const message = frames.encode(frame);
  const open = opener(wireFormat, options);

  return async (connection) => {
    // Begins while the handshake runs; the launch is not sent before the reply's decoder is loaded.
    const ready = launch.wait && reply.load ? load(codec, reply) : undefined;
    ready?.catch(() => {});
    const channel = await open(connection);
    if (!channel) return undefined;
    const { stream, reader, writer } = channel;
    // With the token of this host, it may be longer than the host accepts. Then the host says so.
    const { token } = connection;
    const sent = token === undefined ? message : frames.encode(encodeLaunch({ ...packed, token }));
    if (options.replace) {
      const status = await askStatus(channel, token);
      if (!status) return undefined;
      if (await wantsToReplace(options.replace, status, channel)) return askToReplace(channel);
    }
    if (ready) await Promise.race([ready, new Promise((resolve) => stream.once('close', resolve))]);
    if (stream.destroyed) return retryUnlessForged(stream);
    const hasArrived = connection.readableLength > 0;
    const answering = readAnswer(reader);
    if (hasArrived && (await isAnsweredEarly(answering))) return undefined;
    stream.write(sent);
    const answer = await answering.catch(mayHaveRun);
    if (answer instanceof SingletonError) throw answer;
    if (!answer || !launch.wait) {
      await end(channel);
      return answer && { receipt: answer };
    }
    return {
      receipt: answer,
      runSession: (streams, signal, watch) =>
        runSession({ codec, reply, reader, writer, terminals: launch.terminals, watch }, streams, signal)
          .catch(mayHaveRun)
          .then((result) => ({ ...answer, ...result }))
          .finally(() => connection.destroy()),
    };
  };
}

/** A host with another codec, such as `legacy()`, does not answer. But it is there. */
function ignoreOtherCodec(error: unknown): null {
  if (error instanceof SingletonError && error.code === 'ERR_SINGLETON_UNSUPPORTED_VERSION') return null;
  throw error;
}

/** An error of the program is no failure of the connection, which ends in order then. */
async function wantsToReplace(
  replace: (status: StatusData) => boolean,
  status: StatusData,
  channel: Channel,
): Promise<boolean> {
  try {
    return replace(status);
  } catch (error) {
    await end(channel);
    throw error;
  }
}

/** Asks hosts for their status, over one connection each. */
export function statusAsker<T, R>(wireFormat: WireFormat<T, R>, options: ProtocolOptions): AskStatus {
  const open = opener(wireFormat, options);
  return async (connection) => {
    const channel = await open(connection).catch(ignoreOtherCodec);
    if (!channel) return channel === null ? {} : undefined;
    const status = await askStatus(channel, connection.token);
    if (status) await end(channel);
    return status;
  };
}

/** The codes after which the launch may have run. All others promise that it was not dispatched: see docs/api.md. */
const MAY_HAVE_RUN: ReadonlySet<SingletonErrorCode> = new Set<SingletonErrorCode>([
  'ERR_SINGLETON_CONNECTION_FAILED',
  'ERR_SINGLETON_HOST_UNRESPONSIVE',
  'ERR_SINGLETON_LISTENER_FAILED',
  'ERR_SINGLETON_RELEASED',
]);

/** Every failure after the launch was sent passes through here, so that none has a code of the other group. */
function mayHaveRun(cause: unknown): never {
  if (cause instanceof SingletonError && MAY_HAVE_RUN.has(cause.code)) throw cause;
  throw new SingletonError(
    'ERR_SINGLETON_CONNECTION_FAILED',
    'The launch was sent, but the answer of the host could not be used; the cause says why. ' +
      'The launch may have run: check before you repeat it.',
    { cause },
  );
}

/** `undefined` if the host closed the connection, or is another one than the client has looked up. */
async function askStatus(channel: Channel, token: number | undefined): Promise<StatusData | undefined> {
  const frame = await ask(channel, KIND.statusRequest);
  if (frame?.kind !== KIND.status) return frame && throwRefusal(frame, 'a status');
  const status = decodeStatus(frame);
  return token === undefined || status.token === token ? status : undefined;
}

/** `undefined` if the host is being released already: another one may follow, or this client becomes host. */
async function askToReplace(channel: Channel): Promise<'replaced' | undefined> {
  const frame = await ask(channel, KIND.replace);
  if (frame && frame.kind !== KIND.replaced) throwRefusal(frame, 'a confirmation that it is replaced', REPLACE_REASONS);
  await end(channel);
  return frame?.kind === KIND.replaced ? 'replaced' : undefined;
}

/** The connection was closed. If an encrypted record was changed in transit, another attempt is of no use. */
function retryUnlessForged({ errored }: Duplex): undefined {
  if (errored instanceof SingletonError && errored.code === 'ERR_SINGLETON_VERIFICATION_FAILED') throw errored;
}

/** Nothing of the launch is sent yet. `undefined` if the host closed the connection. */
async function ask({ writer, reader }: Channel, kind: number): Promise<Frame | undefined> {
  writer.write({ kind, body: EMPTY });
  return reader.read().catch((error: unknown) => {
    if (error instanceof SingletonError && error.code === 'ERR_SINGLETON_CONNECTION_FAILED') return undefined;
    throw error;
  });
}

/** Returns if the client may try again. */
function throwRefusal(frame: Frame, expected: string, reasons = REASONS): undefined {
  if (frame.kind !== KIND.refusal) throw malformedError(`${expected}, got a frame of kind ${frame.kind}`);
  const error = refusalError(frame, reasons);
  if (error) throw error;
}

/**
 * Whether the host refused the launch before it was sent, so that it may be tried again: a host that needs the connection does.
 * It may also have sent frames that are skipped, and then it waits for the launch.
 */
async function isAnsweredEarly(answering: ReturnType<typeof readAnswer>): Promise<boolean> {
  const early = await Promise.race([answering.then((answer) => ({ answer })), twoTurns()]);
  if (early?.answer instanceof SingletonError) throw early.answer;
  if (early?.answer) throw malformedError('a receipt after the launch was sent, but one arrived before');
  return early !== undefined;
}

/** Resolves to the receipt, or to `undefined` or an error if the host did not dispatch the launch. */
function readAnswer(reader: FrameReader): Promise<Receipt<never> | SingletonError | undefined> {
  return reader.read().then(decodeAnswer, ignoreWriteError);
}

function decodeAnswer(frame: Frame): Receipt<never> | SingletonError | undefined {
  if (frame.kind === KIND.receipt) {
    const receipt = decodeReceipt(frame);
    const { outcome, client, pid, since } = receipt;
    return { outcome, client, host: { pid, since: new Date(since), ...hostInfoOf(receipt) } };
  }
  if (frame.kind !== KIND.refusal) throw malformedError(`a receipt or a refusal, got a frame of kind ${frame.kind}`);
  return refusalError(frame);
}

/** If the system rejects a write, the host has no complete launch, and so has dispatched none. Its refusal may be lost then. */
function ignoreWriteError(error: unknown): undefined {
  const cause = error instanceof SingletonError ? error.cause : undefined;
  if (Object(cause).syscall !== 'write') throw error;
}

/** `undefined` if the client may try again. The text of the host is the cause, so that it is not taken for a message of ours. */
function refusalError(frame: Frame, reasons = REASONS): SingletonError | undefined {
  const { refusal, text } = decodeRefusal(frame);
  if (refusal === 'not-taken') return undefined;
  const reason = reasons[refusal];
  if (reason === undefined)
    throw malformedError('a receipt or a reason for rejecting the launch, got a reason that ends a session');
  const options = text === undefined ? undefined : { cause: new Error(`The host says: ${printable(text)}`) };
  return new SingletonError(refusal, `The host rejected the launch: ${reason}.`, options);
}

/** Without control characters, which a terminal would obey. */
function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, ' ');
}

type Reasons = Readonly<Partial<Record<RefusalCode, string>>>;

const REASONS: Reasons = {
  ERR_SINGLETON_INVALID_ARGS:
    'the arguments do not match its schema. Correct them, or run the same version of the program on both sides',
  ERR_SINGLETON_MESSAGE_TOO_LARGE:
    'it is longer than maxMessageBytes of the host. Send a path to the data, or raise the limit on both sides',
  ERR_SINGLETON_MALFORMED_MESSAGE: 'it could not decode the launch. Run the same version of the program on both sides',
  ERR_SINGLETON_BUSY:
    'its queue is full (maxPending): it is busy, or nothing there takes launches yet. Try again later',
};

const REPLACE_REASONS: Reasons = {
  ...REASONS,
  ERR_SINGLETON_REPLACE_REFUSED: 'it does not allow to be replaced (allowReplace)',
};
