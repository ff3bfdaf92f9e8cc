import type { Duplex } from 'node:stream';
import type { Deliver, Launch, RefusalCode, ProtocolOptions } from '../interface/codec.ts';
import { SingletonError } from '../interface/errors.ts';
import type { Receipt } from '../interface/receipt.ts';
import { runSession } from './client-session.ts';
import { FrameReader, FrameWriter } from './frames.ts';
import { encodeClientHello, HANDSHAKE_BYTES, type HostHello, readHostHello, STATUS, VERSION } from './hello.ts';
import {
  decodeReceipt,
  decodeRefusal,
  encodeLaunch,
  type Frame,
  KIND,
  malformedError,
  MAX_RAW_BYTES,
} from './messages.ts';
import { readUpTo } from './read.ts';
import { type WireFormat, load, requireSize, serialize } from './serializer.ts';

/** The longest answer where nothing follows it: a receipt. */
const MAX_ANSWER_BYTES = 64;

/** The client's side of a conversation. Nothing of a launch is sent before the host has shown that it is one. */
export function outbound<T, R>(carrier: WireFormat<T, R>, launch: Launch<T>, terms: ProtocolOptions): Deliver<R> {
  const { name: codec, reply, frames } = carrier;
  const frame = encodeLaunch({ ...launch, args: serialize(codec, carrier.args, launch.args) });
  requireSize(frame, terms.maxMessageBytes);
  const message = frames.encode(frame);
  const preface = encodeClientHello({
    isSecured: terms.secret !== undefined,
    codec: Buffer.from(codec),
    application: Buffer.from(terms.name),
  });
  // What decodes the answer has to be there before anything is asked.
  const ready = launch.wait && reply.load ? load(codec, reply) : undefined;
  ready?.catch(() => {});
  const maxMessageBytes = launch.wait ? Math.max(terms.maxMessageBytes, 1 + MAX_RAW_BYTES) : MAX_ANSWER_BYTES;

  return async (connection) => {
    const stream = await handshake(connection, preface, terms);
    if (!stream) return undefined;
    if (ready && !stream.destroyed)
      await Promise.race([ready, new Promise((resolve) => stream.once('close', resolve))]);
    if (stream.destroyed) return undefined;
    stream.write(message);
    const reader = new FrameReader(stream, frames.createDecoder({ maxMessageBytes }));
    const receipt = parseReceipt(await reader.read());
    if (!receipt || !launch.wait) {
      // The host waits for this end, so that it is not the first to close.
      await new Promise<void>((resolve) => stream.once('close', resolve).end(resolve));
      connection.destroy();
      return receipt && { receipt };
    }
    const writer = new FrameWriter(stream, frames);
    writer.uncork();
    const send = (body: Uint8Array, sent: () => void): void => writer.write({ kind: KIND.stdin, body }, sent);
    return {
      receipt,
      waitForResult: (streams, signal) =>
        runSession({ codec, reply, reader, send }, streams, signal)
          .then((lastWord) => ({ ...receipt, ...lastWord }))
          .finally(() => connection.destroy()),
    };
  };
}

/** Resolves to what the launch is sent through; to `undefined` where the host went away. */
async function handshake(
  connection: Duplex,
  preface: Uint8Array,
  { secret }: ProtocolOptions,
): Promise<Duplex | undefined> {
  const initiation = secret && (await import('./secure/handshake.ts')).initiate({ secret, prologue: preface });
  connection.write(initiation ? Buffer.concat([preface, initiation.message]) : preface);
  const hello = await readHostHello(connection);
  if (!hello) return undefined;
  if (hello.status !== STATUS.ok || hello.version !== VERSION) throw rejectedHelloError(hello);
  if (!initiation) return connection;
  const message = await readUpTo(connection, HANDSHAKE_BYTES);
  if (message.length < HANDSHAKE_BYTES) return undefined;
  const channel = initiation.tryFinish(connection, message);
  // What its errors say, its reader tells.
  if (channel) return channel.on('error', () => {});
  throw new SingletonError(
    'ERR_SINGLETON_VERIFICATION_FAILED',
    'The host did not prove the secret: it has another one, or it is no host. It got neither the secret nor the launch.',
  );
}

function rejectedHelloError({ status, version }: HostHello): SingletonError {
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
        'Expected a host of this application (name); another one holds the endpoint. Choose another endpoint.',
      );
    case STATUS.secretRequired:
      return secretMismatchError('it wants a secret, and this launch has none. Set the secret');
    case STATUS.secretNotExpected:
      return secretMismatchError('it has no secret, and this launch has one. Set the secret on both sides or on none');
    case STATUS.verificationFailed:
      return secretMismatchError('the secrets differ. Set the same on both sides');
    default:
      return malformedError(`a status from 0 to ${STATUS.verificationFailed}, got ${status}`);
  }
}

function secretMismatchError(why: string): SingletonError {
  const message = `This launch did not prove the secret to the host: ${why}.`;
  return new SingletonError('ERR_SINGLETON_VERIFICATION_FAILED', message);
}

function parseReceipt(frame: Frame): Receipt<never> | undefined {
  if (frame.kind === KIND.receipt) {
    const { outcome, client, pid, since } = decodeReceipt(frame);
    return { outcome, client, host: { pid, since: new Date(since) } };
  }
  if (frame.kind !== KIND.refusal) throw malformedError(`a receipt or a refusal, got a frame of kind ${frame.kind}`);
  const refusal = decodeRefusal(frame);
  if (refusal === 'not-taken') return undefined;
  const reason = REASONS[refusal];
  if (reason === undefined)
    throw malformedError('a receipt, or why there is none; got the last word of a launch that waited');
  throw new SingletonError(refusal, `The host did not take the launch: ${reason}.`);
}

const REASONS: Readonly<Partial<Record<RefusalCode, string>>> = {
  ERR_SINGLETON_INVALID_ARGS: 'its schema does not allow the arguments. It may be another version of the program',
  ERR_SINGLETON_MESSAGE_TOO_LARGE: 'it is longer than the maxMessageBytes of the host. Raise the limit on both sides',
  ERR_SINGLETON_MALFORMED_MESSAGE: 'it could not decode it. It may be another version of the program',
  ERR_SINGLETON_BUSY: 'too many wait there already (maxPending), and nobody listens to "args"',
};
