import type { Duplex } from 'node:stream';
import type { Deliver, Launch, RefusalCode, ProtocolOptions } from '../interface/codec.ts';
import { moduleNotLoadedError, SingletonError, type SingletonErrorCode } from '../interface/errors.ts';
import type { Receipt } from '../interface/receipt.ts';
import { runSession } from './session/client-session.ts';
import { FrameReader, FrameWriter } from './frames.ts';
import { encodeClientHello, HANDSHAKE_BYTES, type HostHello, readHostHello, STATUS, VERSION } from './hello.ts';
import { decodeReceipt, decodeRefusal, encodeLaunch, KIND, malformedError, MAX_RAW_BYTES } from './messages.ts';
import { readUpTo } from './read.ts';
import { type WireFormat, load, requireSize, serialize } from './serializer.ts';

/** Bounds the answer to a launch that does not wait: one receipt or refusal. */
const MAX_ANSWER_BYTES = 64;

/** The client's side of the structured protocol. Sends nothing of the launch before it has read a host hello. */
export function outbound<T, R>(wireFormat: WireFormat<T, R>, launch: Launch<T>, options: ProtocolOptions): Deliver<R> {
  const { name: codec, reply, frames } = wireFormat;
  const frame = encodeLaunch({ ...launch, args: serialize(codec, wireFormat.args, launch.args) });
  requireSize(frame, options.maxMessageBytes);
  const message = frames.encode(frame);
  const clientHello = encodeClientHello({
    isSecured: options.secret !== undefined,
    codec: Buffer.from(codec),
    application: Buffer.from(options.name),
  });
  // Start loading the reply's decoder now; the launch is not sent before it is loaded.
  const ready = launch.wait && reply.load ? load(codec, reply) : undefined;
  ready?.catch(() => {});
  const maxMessageBytes = launch.wait ? Math.max(options.maxMessageBytes, 1 + MAX_RAW_BYTES) : MAX_ANSWER_BYTES;

  const secure = loadSecure(options.secret);

  return async (connection) => {
    const stream = await handshake(connection, clientHello, options, secure);
    if (!stream) return undefined;
    if (ready && !stream.destroyed)
      await Promise.race([ready, new Promise((resolve) => stream.once('close', resolve))]);
    if (stream.destroyed) return undefined;
    const reader = new FrameReader(stream, frames.createDecoder({ maxMessageBytes }));
    if (connection.readableLength > 0) return readEarlyAnswer(reader);
    stream.write(message);
    const answer = await mayHaveRun(readAnswer(reader));
    if (answer instanceof SingletonError) throw answer;
    if (!answer || !launch.wait) {
      // The client closes first, so that TIME_WAIT stays on its side.
      await new Promise<void>((resolve) => stream.once('close', resolve).end(resolve));
      connection.destroy();
      return answer && { receipt: answer };
    }
    const writer = new FrameWriter(stream, frames);
    writer.uncork();
    const send = (body: Uint8Array, sent: () => void): void => writer.write({ kind: KIND.stdin, body }, sent);
    return {
      receipt: answer,
      runSession: (streams, signal) =>
        mayHaveRun(runSession({ codec, reply, reader, send }, streams, signal))
          .then((result) => ({ ...answer, ...result }))
          .finally(() => connection.destroy()),
    };
  };
}

/** The codes after which the launch may have run. All others promise that it was not dispatched: see docs/api.md. */
const MAY_HAVE_RUN: ReadonlySet<SingletonErrorCode> = new Set<SingletonErrorCode>([
  'ERR_SINGLETON_CONNECTION_FAILED',
  'ERR_SINGLETON_HOST_UNRESPONSIVE',
  'ERR_SINGLETON_LISTENER_FAILED',
  'ERR_SINGLETON_RELEASED',
]);

/** Everything that is awaited after the launch was sent passes through here, so that no failure has a code of the other group. */
async function mayHaveRun<Value>(awaited: Promise<Value>): Promise<Value> {
  try {
    return await awaited;
  } catch (cause) {
    if (cause instanceof SingletonError && MAY_HAVE_RUN.has(cause.code)) throw cause;
    throw new SingletonError(
      'ERR_SINGLETON_CONNECTION_FAILED',
      'The launch was sent, but the answer of the host could not be used; the cause says why. ' +
        'The launch may have run: check before you repeat it.',
      { cause },
    );
  }
}

/** Loaded while the client connects. */
function loadSecure(secret: Uint8Array | undefined): Promise<typeof import('./secure/handshake.ts')> | undefined {
  const secure = secret && import('./secure/handshake.ts').catch(moduleNotLoadedError);
  secure?.catch(() => {});
  return secure;
}

/** Resolves to the stream that carries the frames, or to `undefined` if the host closed the connection. */
async function handshake(
  connection: Duplex,
  clientHello: Uint8Array,
  { secret }: ProtocolOptions,
  secure: ReturnType<typeof loadSecure>,
): Promise<Duplex | undefined> {
  const initiation = secret && (await secure)?.initiate({ secret, prologue: clientHello });
  connection.write(initiation ? Buffer.concat([clientHello, initiation.message]) : clientHello);
  const hostHello = await readHostHello(connection);
  if (!hostHello) return undefined;
  if (hostHello.status !== STATUS.ok || hostHello.version !== VERSION) throw rejectedHelloError(hostHello);
  if (!initiation) return connection;
  const message = await readUpTo(connection, HANDSHAKE_BYTES);
  if (message.length < HANDSHAKE_BYTES) return undefined;
  const secureStream = initiation.tryFinish(connection, message);
  // Errors surface through the FrameReader.
  if (secureStream) return secureStream.on('error', () => {});
  throw new SingletonError(
    'ERR_SINGLETON_VERIFICATION_FAILED',
    'The host did not prove that it knows the secret; the secret and the launch were not sent. ' +
      'It has a different secret or is another program: set the same secret on both sides.',
  );
}

function rejectedHelloError({ status, version }: HostHello): SingletonError {
  if (status === STATUS.version || version !== VERSION) {
    return new SingletonError(
      'ERR_SINGLETON_UNSUPPORTED_VERSION',
      `Expected a host with protocol version ${VERSION}, but it has version ${version}. Update the older program.`,
    );
  }
  switch (status) {
    case STATUS.codec:
      return new SingletonError(
        'ERR_SINGLETON_UNSUPPORTED_VERSION',
        'The host uses another codec; it may run another version of the program. Use the same codec on both sides.',
      );
    case STATUS.application:
      return new SingletonError(
        'ERR_SINGLETON_WRONG_APPLICATION',
        'Another application (name) holds the endpoint. Choose another endpoint.',
      );
    case STATUS.secretRequired:
      return secretMismatchError('the host has a secret and this launch has none. Set the same secret on both sides');
    case STATUS.secretNotExpected:
      return secretMismatchError(
        'the host has no secret and this launch has one. Set the secret on both sides or on neither',
      );
    case STATUS.verificationFailed:
      return secretMismatchError('the secrets differ. Set the same secret on both sides');
    default:
      return malformedError(`a status from 0 to ${STATUS.verificationFailed}, got ${status}`);
  }
}

function secretMismatchError(reason: string): SingletonError {
  const message = `The host rejected this launch: ${reason}.`;
  return new SingletonError('ERR_SINGLETON_VERIFICATION_FAILED', message);
}

/** Reads what has arrived before the launch was sent. A host that needs the connection refuses it then. */
async function readEarlyAnswer(reader: FrameReader): Promise<undefined> {
  const answer = await readAnswer(reader);
  if (answer instanceof SingletonError) throw answer;
  if (answer) throw malformedError('a receipt after the launch was sent, but one arrived before');
}

/** Resolves to the receipt, or to `undefined` or an error if the host did not dispatch the launch. */
async function readAnswer(reader: FrameReader): Promise<Receipt<never> | SingletonError | undefined> {
  const frame = await reader.read().catch(ignoreWriteError);
  if (!frame) return undefined;
  if (frame.kind === KIND.receipt) {
    const { outcome, client, pid, since } = decodeReceipt(frame);
    return { outcome, client, host: { pid, since: new Date(since) } };
  }
  if (frame.kind !== KIND.refusal) throw malformedError(`a receipt or a refusal, got a frame of kind ${frame.kind}`);
  const refusal = decodeRefusal(frame);
  if (refusal === 'not-taken') return undefined;
  const reason = REASONS[refusal];
  if (reason === undefined)
    throw malformedError('a receipt or a reason for rejecting the launch, got a reason that ends a session');
  return new SingletonError(refusal, `The host rejected the launch: ${reason}.`);
}

/** If the system rejects a write, the host has no complete launch, and so has dispatched none. Its refusal may be lost then. */
function ignoreWriteError(error: unknown): undefined {
  const cause = error instanceof SingletonError ? error.cause : undefined;
  if (Object(cause).syscall !== 'write') throw error;
}

const REASONS: Readonly<Partial<Record<RefusalCode, string>>> = {
  ERR_SINGLETON_INVALID_ARGS:
    'the arguments do not match its schema. Correct them, or run the same version of the program on both sides',
  ERR_SINGLETON_MESSAGE_TOO_LARGE:
    'it is longer than maxMessageBytes of the host. Send a path to the data, or raise the limit on both sides',
  ERR_SINGLETON_MALFORMED_MESSAGE: 'it could not decode the launch. Run the same version of the program on both sides',
  ERR_SINGLETON_BUSY: 'its queue is full (maxPending), because nothing there listens for "args" yet. Try again later',
};
