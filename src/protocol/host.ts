import type { Duplex } from 'node:stream';
import type {
  Responder,
  ReceiptData,
  Decoder,
  Launch,
  LaunchHandler,
  LaunchResult,
  RefusalCode,
  ProtocolOptions,
  VerifyFailureReason,
} from '../interface/codec.ts';
import { clientGoneError, moduleNotLoadedError, SingletonError } from '../interface/errors.ts';
import { twoTurns } from '../interface/timers.ts';
import { resetConnection } from '../interface/transport.ts';
import {
  encodeHostHello,
  HANDSHAKE_BYTES,
  type ClientHello,
  readClientHello,
  type Status,
  STATUS,
  readExactly,
  rejectionError,
} from './hello.ts';
import { HostSession } from './session/host-session.ts';
import {
  decodeLaunch,
  encodeReceipt,
  encodeRefusal,
  type Frame,
  malformedError,
  type PackedLaunch,
} from './messages.ts';
import { type WireFormat, deserialize } from './serializer.ts';

/** The host's side of the structured protocol. An idle connection costs one object and two listeners. */
export function readLaunch<T, R>(
  wireFormat: WireFormat<T, R>,
  connection: Duplex,
  options: ProtocolOptions,
  handler: LaunchHandler<T, R>,
): Responder {
  const reader = new LaunchReader(wireFormat, connection, options);
  const begin = (): void => {
    connection.off('readable', begin).off('close', begin);
    reader.read().then(
      (result) => handler.onLaunch(result),
      (error: unknown) => handler.onError(error),
    );
  };
  connection.on('readable', begin).on('close', begin);
  return reader;
}

/** Reads a connection from its first byte to the receipt. */
class LaunchReader<T, R> implements Responder {
  readonly #wireFormat: WireFormat<T, R>;
  readonly #connection: Duplex;
  readonly #options: ProtocolOptions;
  /** Carries the frames; set after the handshake. */
  #stream: Duplex | undefined;
  /** Only if the launch waits. */
  #session: HostSession<R> | undefined;
  #isSent = false;
  #error: SingletonError | undefined;

  constructor(wireFormat: WireFormat<T, R>, connection: Duplex, options: ProtocolOptions) {
    this.#wireFormat = wireFormat;
    this.#connection = connection;
    this.#options = options;
  }

  async read(): Promise<LaunchResult<T, R>> {
    const stream = await this.#handshake();
    if (typeof stream === 'number') {
      this.#isSent = true;
      this.#connection.write(encodeHostHello(stream));
      const reason = FAILURES[stream];
      if (reason === undefined) throw rejectionError(stream);
      return { verified: false, reason };
    }
    this.#stream = stream;
    try {
      const received = await this.#readLaunchFrame(stream);
      if (!received) return { verified: false, reason: 'replayed-handshake' };
      const launch = this.#unpack(received.launch);
      if (launch.wait) this.#session = new HostSession(this.#wireFormat, stream, this.#options);
      return { verified: true, launch, bytes: received.bytes, session: this.#session };
    } catch (error) {
      this.#rejectInvalid(error);
      throw error;
    }
  }

  get error(): SingletonError | undefined {
    const { destroyed, readableEnded } = this.#connection;
    return this.#error ?? (destroyed || readableEnded ? clientGoneError() : undefined);
  }

  accept(receipt: ReceiptData): void {
    this.#send(encodeReceipt({ ...receipt, pid: process.pid }));
    this.#session?.open();
  }

  reject(reason: RefusalCode): void {
    this.#send(encodeRefusal(reason));
    this.#session?.clientGone();
  }

  rejectRetryable(): void {
    if (this.#isSent) return this.#session?.abort();
    // Before the handshake the peer may be a legacy client, to which an orderly end means success. Reset instead.
    if (this.#stream) this.#send(encodeRefusal('not-taken'));
    else resetConnection(this.#connection);
    this.#session?.clientGone();
  }

  #rejectInvalid(error: unknown): void {
    const code = error instanceof SingletonError && error.code;
    if (code === 'ERR_SINGLETON_MESSAGE_TOO_LARGE' || code === 'ERR_SINGLETON_MALFORMED_MESSAGE') this.reject(code);
  }

  #send(frame: Frame): void {
    if (this.#isSent) return;
    this.#isSent = true;
    if (this.#stream?.writable) this.#stream.write(this.#wireFormat.frames.encode(frame));
  }

  /** Resolves to the stream that carries the frames, or to the status to reject the client with. */
  async #handshake(): Promise<Duplex | Status> {
    const { secret } = this.#options;
    const connection = this.#connection;
    const clientHello = await readClientHello(connection);
    if (typeof clientHello === 'number') return clientHello;
    const status = this.#checkHello(clientHello);
    if (status !== STATUS.ok) return status;
    if (!secret) {
      connection.write(encodeHostHello(STATUS.ok));
      return connection;
    }
    const message = await readExactly(connection, HANDSHAKE_BYTES);
    const { tryRespond } = await import('./secure/handshake.ts').catch(moduleNotLoadedError);
    const response = tryRespond({ secret, prologue: clientHello.bytes }, message);
    if (!response) return STATUS.verificationFailed;
    connection.write(Buffer.concat([encodeHostHello(STATUS.ok), response.message]));
    return response.open(connection);
  }

  #checkHello({ application, codec, isSecured }: ClientHello): Status {
    const { name, secret } = this.#options;
    if (!Buffer.from(name).equals(application)) return STATUS.application;
    if (!Buffer.from(this.#wireFormat.name).equals(codec)) return STATUS.codec;
    if (secret && !isSecured) return STATUS.secretRequired;
    if (!secret && isSecured) return STATUS.secretNotExpected;
    return STATUS.ok;
  }

  /**
   * The client may withdraw its launch, or break the protocol, until the tick in which the launch is dispatched.
   * Resolves to `undefined` if the first record cannot be decrypted: the handshake did not prove the secret after all.
   */
  #readLaunchFrame(stream: Duplex): Promise<ReceivedLaunch | undefined> {
    const decoder = this.#wireFormat.frames.createDecoder(this.#options);
    let launch: PackedLaunch | undefined;
    let bytes = 0;
    return new Promise((resolve, reject) => {
      const fail = (error: unknown): void => {
        this.#error ??= error instanceof SingletonError ? error : clientGoneError();
        this.#rejectInvalid(error);
        reject(error);
      };
      stream.on('data', (chunk: Uint8Array) => {
        if (this.#isSent) return this.#session?.push(chunk);
        if (this.#error !== undefined) return;
        bytes += chunk.length;
        try {
          if (launch) throw malformedError(ONE_LAUNCH);
          const [first, ...more] = decoder.push(chunk);
          if (!first) return undefined;
          launch = decodeLaunch(first);
          if (more.length > 0 || !isAtFrameBoundary(decoder)) throw malformedError(ONE_LAUNCH);
        } catch (error) {
          return fail(error);
        }
        const received = { launch, bytes };
        // A host that was busy or suspended reads the end of a stream one turn after its last bytes.
        void twoTurns().then(() => resolve(received));
        return undefined;
      });
      const onEnd = (): void => {
        if (this.#isSent) this.#session?.clientGone();
        else fail(launch ? clientGoneError() : truncatedError());
      };
      stream.once('end', onEnd).once('close', onEnd);
      // The client may have disconnected while a module was loaded.
      if (stream.destroyed) onEnd();
      stream.once('error', (error) => {
        const code = error instanceof SingletonError && error.code;
        if (code === 'ERR_SINGLETON_VERIFICATION_FAILED' && bytes === 0) resolve(undefined);
        if (code === 'ERR_SINGLETON_TRUNCATED_MESSAGE') onEnd();
        else if (this.#isSent) this.#session?.clientGone(error instanceof SingletonError ? error : undefined);
        else fail(error);
      });
    });
  }

  #unpack({ args, ...rest }: PackedLaunch): Launch<T> {
    return { ...rest, args: deserialize(this.#wireFormat.name, this.#wireFormat.args, args) };
  }
}

const ONE_LAUNCH = 'one launch on a connection, but more bytes arrived before the receipt';

/** Whether no byte of another frame has arrived. */
function isAtFrameBoundary(decoder: Decoder<Frame>): boolean {
  try {
    decoder.end();
    return true;
  } catch {
    return false;
  }
}

interface ReceivedLaunch {
  readonly launch: PackedLaunch;
  /** Its size on the wire, encryption not included. */
  readonly bytes: number;
}

const FAILURES: Readonly<Partial<Record<Status, VerifyFailureReason>>> = {
  [STATUS.secretRequired]: 'missing-secret',
  [STATUS.secretNotExpected]: 'unexpected-secret',
  [STATUS.verificationFailed]: 'wrong-secret',
};

function truncatedError(): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_TRUNCATED_MESSAGE',
    'Expected a launch, but the connection ended before it was complete. The client may have exited.',
  );
}
