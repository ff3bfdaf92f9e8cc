import type { Duplex } from 'node:stream';
import type { Format, HandOff, Launch, RefusalCode, Terms } from '../codecs/codec.ts';
import { SingletonError } from '../core/errors.ts';
import type { Receipt } from '../core/receipt.ts';
import type { Carrier } from './conversation.ts';
import { decodeReceipt, decodeRefusal, encodeLaunch, KIND, malformed, type Frame } from './messages.ts';
import { encodePreface, HANDSHAKE_BYTES, readHello, STATUS, VERSION, type Hello } from './preface.ts';
import { take } from './take.ts';

/** The longest answer: a receipt. */
const MAX_ANSWER_BYTES = 64;

/** The client's side of a conversation. Nothing of a launch is sent before the host has shown that it is one. */
export function prepare<T>(carrier: Carrier<T>, launch: Launch<T>, terms: Terms): HandOff {
  const message = pack(carrier, launch, terms);
  const codec = Buffer.from(carrier.name);
  const application = Buffer.from(terms.name);
  const preface = encodePreface({ isSecured: terms.secret !== undefined, codec, application });
  return async (connection) => {
    const stream = await greet(connection, preface, terms);
    if (!stream) return undefined;
    const answer = readAnswer(carrier.frames, stream);
    stream.write(message);
    const frame = await answer;
    // The host waits for this end, so that it is not the first to close.
    await new Promise<void>((resolve) => stream.once('close', resolve).end(resolve));
    connection.destroy();
    return interpret(frame);
  };
}

function pack<T>(carrier: Carrier<T>, launch: Launch<T>, { maxMessageBytes }: Terms): Uint8Array {
  const frame = encodeLaunch({ ...launch, args: serialize(carrier, launch.args) });
  const length = 1 + frame.body.length;
  if (length <= maxMessageBytes) return carrier.frames.encode(frame);
  throw new SingletonError(
    'ERR_SINGLETON_MESSAGE_TOO_LARGE',
    `Expected a launch of at most ${maxMessageBytes} bytes (maxMessageBytes), got ${length}. ` +
      'Hand over a path to the data, or raise the limit on both sides.',
  );
}

function serialize<T>(carrier: Carrier<T>, args: T): Uint8Array {
  try {
    const bytes: unknown = carrier.serialize(args);
    if (bytes instanceof Uint8Array) return bytes;
    throw new TypeError(`Expected a Uint8Array from the serializer, got a value of type ${typeof bytes}.`);
  } catch (cause) {
    if (cause instanceof SingletonError) throw cause;
    const message = `The codec "${carrier.name}" cannot carry these arguments. Change them.`;
    throw new SingletonError('ERR_SINGLETON_UNENCODABLE', message, { cause });
  }
}

/** Resolves to what the launch is sent through; to `undefined` where the host went away. */
async function greet(connection: Duplex, preface: Uint8Array, { secret }: Terms): Promise<Duplex | undefined> {
  const initiation = secret && (await import('./handshake.ts')).initiate({ secret, prologue: preface });
  connection.write(initiation ? Buffer.concat([preface, initiation.message]) : preface);
  const hello = await readHello(connection);
  if (!hello) return undefined;
  if (hello.status !== STATUS.ok || hello.version !== VERSION) throw refusedHello(hello);
  if (!initiation) return connection;
  const message = await take(connection, HANDSHAKE_BYTES);
  if (message.length < HANDSHAKE_BYTES) return undefined;
  const channel = initiation.tryFinish(connection, message);
  if (channel) return channel;
  throw new SingletonError(
    'ERR_SINGLETON_VERIFICATION_FAILED',
    'The host did not prove the secret: it has another one, or it is no host. It got neither the secret nor the launch.',
  );
}

function refusedHello({ status, version }: Hello): SingletonError {
  if (status === STATUS.version || version !== VERSION) {
    return new SingletonError(
      'ERR_SINGLETON_UNSUPPORTED_VERSION',
      `Expected a host that speaks version ${VERSION} of the conversation; it speaks ${version}. Update the older side.`,
    );
  }
  switch (status) {
    case STATUS.codec:
      return new SingletonError(
        'ERR_SINGLETON_UNSUPPORTED_VERSION',
        'Expected a host with the codec of this launch; it has another. It may be another version of the program.',
      );
    case STATUS.application:
      return new SingletonError(
        'ERR_SINGLETON_WRONG_APPLICATION',
        'Expected a host of this application (name); another one holds the place. Choose another place.',
      );
    case STATUS.secretRequired:
      return unproven('it wants a secret, and this launch has none. Set the secret');
    case STATUS.secretNotExpected:
      return unproven('it has no secret, and this launch has one. Set the secret on both sides or on none');
    case STATUS.verificationFailed:
      return unproven('the secrets differ. Set the same on both sides');
    default:
      return malformed(`a status from 0 to ${STATUS.verificationFailed}, got ${status}`);
  }
}

function unproven(why: string): SingletonError {
  const message = `This launch did not prove the secret to the host: ${why}.`;
  return new SingletonError('ERR_SINGLETON_VERIFICATION_FAILED', message);
}

/** The first frame that comes. */
function readAnswer(format: Format<Frame>, stream: Duplex): Promise<Frame> {
  return new Promise((resolve, reject) => {
    const decoder = format.createDecoder({ maxMessageBytes: MAX_ANSWER_BYTES });
    stream.on('data', (chunk: Uint8Array) => {
      try {
        for (const frame of decoder.push(chunk)) resolve(frame);
      } catch (error) {
        reject(error);
      }
    });
    stream.once('end', () => reject(brokenOff()));
    stream.once('close', () => reject(brokenOff()));
    stream.on('error', (cause) => {
      const isTold = cause instanceof SingletonError && cause.code !== 'ERR_SINGLETON_TRUNCATED_MESSAGE';
      reject(isTold ? cause : brokenOff(cause));
    });
  });
}

function brokenOff(cause?: Error): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_CONNECTION_FAILED',
    'The host broke the connection off when it had the launch, and did not say what became of it.',
    cause && { cause },
  );
}

function interpret(frame: Frame): Receipt | undefined {
  if (frame.kind === KIND.receipt) {
    const { outcome, client, pid, since } = decodeReceipt(frame);
    return { outcome, client, host: { pid, since: new Date(since) } };
  }
  if (frame.kind !== KIND.refusal) throw malformed(`a receipt or a refusal, got a frame of kind ${frame.kind}`);
  const refusal = decodeRefusal(frame);
  if (refusal === 'not-taken') return undefined;
  throw new SingletonError(refusal, `The host did not take the launch: ${REASONS[refusal]}.`);
}

const REASONS: Readonly<Record<RefusalCode, string>> = {
  ERR_SINGLETON_INVALID_ARGS: 'its schema does not allow the arguments. It may be another version of the program',
  ERR_SINGLETON_MESSAGE_TOO_LARGE: 'it is longer than the maxMessageBytes of the host. Raise the limit on both sides',
  ERR_SINGLETON_MALFORMED_MESSAGE: 'it could not decode it. It may be another version of the program',
  ERR_SINGLETON_BUSY: 'too many wait there already (maxPending), and nobody listens to "args"',
};
