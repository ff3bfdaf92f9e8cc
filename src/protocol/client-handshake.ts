import type { Duplex } from 'node:stream';
import { moduleNotLoadedError, SingletonError } from '../interface/errors.ts';
import type { ProtocolOptions } from '../interface/protocol.ts';
import { FrameReader, FrameWriter } from './frames.ts';
import { encodeClientHello, type HostHello, readHostHello, RESPONSE_BYTES, STATUS, VERSION } from './hello.ts';
import { MAX_RAW_BYTES } from './messages.ts';
import { StreamReader } from './read.ts';
import type { Initiation } from './secure/handshake.ts';
import type { WireFormat } from './serializer.ts';

/** A client's connection after the handshake. */
export interface Channel {
  readonly connection: Duplex;
  /** Carries the frames; the connection itself if there is no secret. */
  readonly stream: Duplex;
  readonly reader: FrameReader;
  readonly writer: FrameWriter;
}

/** Returns a function that runs the handshake over a connection; `undefined` if the host closed it. */
export function opener<T, R>(
  { name, frames }: WireFormat<T, R>,
  { secret, name: application, maxMessageBytes }: ProtocolOptions,
): (connection: Duplex) => Promise<Channel | undefined> {
  const clientHello = encodeClientHello({
    isSecured: secret !== undefined,
    codec: Buffer.from(name),
    application: Buffer.from(application),
  });
  const limits = { maxMessageBytes: Math.max(maxMessageBytes, 1 + MAX_RAW_BYTES) };
  return async (connection) => {
    const initiation = secret && (await loadSecure()).initiate({ secret, prologue: clientHello });
    connection.write(initiation ? Buffer.concat([clientHello, initiation.message]) : clientHello);
    const plain = new StreamReader(connection);
    const hostHello = await readHostHello(plain);
    if (!hostHello) return undefined;
    if (hostHello.status !== STATUS.ok || hostHello.version !== VERSION) throw rejectedHelloError(hostHello);
    const streamReader = initiation ? await secureReader(plain, initiation, hostHello) : plain;
    if (!streamReader || streamReader.stream.destroyed) return undefined;
    const { stream } = streamReader;
    const reader = new FrameReader(streamReader, frames.createDecoder(limits));
    const writer = new FrameWriter(stream, frames);
    writer.uncork();
    return { connection, stream, reader, writer };
  };
}

/** The client closes first, so that TIME_WAIT stays on its side. */
export function end({ stream }: Channel): Promise<void> {
  return new Promise((resolve) => {
    const onEnded = (): void => {
      stream.destroy();
      resolve();
    };
    // Of a stream that is destroyed neither would be reported.
    if (stream.destroyed) resolve();
    else stream.once('close', onEnded).end(onEnded);
  });
}

/** Loaded with the first secret. An import that is evaluated again takes some microseconds of each connection. */
let secure: typeof import('./secure/handshake.ts') | undefined;

export async function loadSecure(): Promise<typeof import('./secure/handshake.ts')> {
  secure ??= await import('./secure/handshake.ts').catch(moduleNotLoadedError);
  return secure;
}

/** Resolves to a reader of the stream that carries the frames, or to `undefined` if the host closed the connection. */
async function secureReader(
  reader: StreamReader,
  initiation: Initiation,
  hostHello: HostHello,
): Promise<StreamReader | undefined> {
  const message = await reader.readUpTo(RESPONSE_BYTES);
  reader.release();
  if (message.length < RESPONSE_BYTES) return undefined;
  const stream = initiation.tryFinish(reader.stream, message, hostHello.bytes);
  // Errors surface through the FrameReader.
  if (stream) return new StreamReader(stream.on('error', () => {}));
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
      return new SingletonError(
        'ERR_SINGLETON_UNSUPPORTED_VERSION',
        `The host rejected this launch with status ${status}. It has another version of the protocol: update the older program.`,
      );
  }
}

function secretMismatchError(reason: string): SingletonError {
  const message = `The host rejected this launch: ${reason}.`;
  return new SingletonError('ERR_SINGLETON_VERIFICATION_FAILED', message);
}
