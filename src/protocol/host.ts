import type { Duplex } from 'node:stream';
import type { Decoder } from '../interface/codec.ts';
import type {
  Responder,
  ReceiptData,
  LaunchHandler,
  LaunchResult,
  RefusalCode,
  ProtocolOptions,
  VerifyFailureReason,
} from '../interface/protocol.ts';
import { clientGoneError, SingletonError, malformedError } from '../interface/errors.ts';
import { afterTwoTurns } from '../interface/timers.ts';
import { rememberAddress, resetConnection } from '../interface/transport.ts';
import { frames } from './frames.ts';
import { encodeHostHello, type HelloResult, readClientHello, rejectionError, type Status, STATUS } from './hello.ts';
import { acceptClient } from './host-handshake.ts';
import { decodeRequest, type PackedLaunch } from './launch.ts';
import { encodeReceipt, encodeRefusal, encodeStatus, type Frame, KIND } from './messages.ts';
import { type WireFormat, deserialize } from './serializer.ts';
import { HostSession } from './session/host-session.ts';

/** The host's side of the structured protocol. An idle connection costs one object and three listeners. */
export function readLaunch<T, R>(
  wireFormats: readonly WireFormat<T, R>[],
  connection: Duplex,
  options: ProtocolOptions,
  handler: LaunchHandler<T, R>,
): Responder {
  const reader = new LaunchReader(wireFormats, connection, options, handler);
  readClientHello(
    connection,
    (hello) => void reader.run(hello),
    (error) => handler.onError(error),
  );
  return reader;
}

/** Reads a connection from the hello to the receipt. */
class LaunchReader<T, R> implements Responder {
  readonly #wireFormats: readonly WireFormat<T, R>[];
  readonly #connection: Duplex;
  readonly #options: ProtocolOptions;
  readonly #handler: LaunchHandler<T, R>;
  /** Carries the frames; set after the handshake. */
  #stream: Duplex | undefined;
  /** Only if the launch waits. */
  #session: HostSession<R> | undefined;
  /** Whether the client has got the status. */
  #hasStatus = false;
  #isSent = false;
  #error: SingletonError | undefined;

  constructor(
    wireFormats: readonly WireFormat<T, R>[],
    connection: Duplex,
    options: ProtocolOptions,
    handler: LaunchHandler<T, R>,
  ) {
    this.#wireFormats = wireFormats;
    this.#connection = connection;
    this.#options = options;
    this.#handler = handler;
  }

  async run(hello: HelloResult): Promise<void> {
    const handler = this.#handler;
    let request: LaunchResult<T, R> | 'replace' | 'end';
    try {
      request = await this.#read(hello);
    } catch (error) {
      return handler.onError(error);
    }
    if (request === 'replace') handler.onReplace();
    else if (request === 'end') handler.onError(undefined);
    else handler.onLaunch(request);
  }

  /** "end" if the client sent nothing, or wanted no more than the status. */
  async #read(hello: HelloResult): Promise<LaunchResult<T, R> | 'replace' | 'end'> {
    if (!hello) return 'end';
    const opened = await acceptClient(this.#wireFormats, this.#connection, hello, this.#options);
    if (typeof opened === 'number') {
      this.#isSent = true;
      rememberAddress(this.#connection);
      this.#connection.write(encodeHostHello(opened));
      const reason = FAILURES[opened];
      if (reason === undefined) throw rejectionError(opened);
      return { verified: false, reason };
    }
    const { stream, wireFormat } = opened;
    this.#stream = stream;
    try {
      const received = await this.#readRequest(stream);
      if (!received) return { verified: false, reason: 'replayed-handshake' };
      // A client that wanted no more than the status gets no refusal.
      this.#isSent ||= received === 'end';
      if (typeof received === 'string') return received;
      const args = deserialize(wireFormat.name, wireFormat.args, received.launch.args);
      const launch = { ...received.launch, args };
      if (launch.wait) this.#session = new HostSession(wireFormat, stream, this.#options, launch.terminals);
      return { verified: true, codec: wireFormat.name, launch, bytes: received.bytes, session: this.#session };
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
    this.#send(encodeReceipt(receipt));
    this.#session?.open();
  }

  reject(reason: RefusalCode, text?: string): void {
    this.#send(encodeRefusal(reason, text));
    this.#session?.clientGone(undefined, 'refused');
  }

  replaced(): void {
    this.#send({ kind: KIND.replaced, body: EMPTY });
  }

  ping(): void {
    this.#session?.ping();
  }

  rejectRetryable(): void {
    if (this.#isSent) return this.#session?.abort();
    // Before the handshake the peer may be a legacy client, to which an orderly end means success. Reset instead.
    if (this.#stream) this.#send(encodeRefusal('not-taken'));
    else resetConnection(this.#connection);
    this.#session?.clientGone(undefined, 'released');
  }

  #rejectInvalid(error: unknown): void {
    if (!(error instanceof SingletonError)) return;
    const { code, message } = error;
    if (code === 'ERR_SINGLETON_MESSAGE_TOO_LARGE' || code === 'ERR_SINGLETON_MALFORMED_MESSAGE')
      this.reject(code, message);
  }

  #send(frame: Frame): void {
    if (this.#isSent) return;
    this.#isSent = true;
    this.#write(frame);
  }

  #write(frame: Frame): void {
    if (this.#stream?.writable) this.#stream.write(frames.encode(frame));
  }

  #answerStatus(): void {
    if (this.#hasStatus) throw malformedError('one request for the status on a connection, got another one');
    this.#hasStatus = true;
    this.#write(encodeStatus(this.#handler.status()));
  }

  /**
   * Answers a request for the status, and resolves to what follows. The client may withdraw its launch, or break the protocol,
   * until the tick in which the launch is dispatched. Resolves to `undefined` if the first record cannot be decrypted: the
   * handshake did not prove the secret after all.
   */
  #readRequest(stream: Duplex): Promise<ReceivedLaunch | 'replace' | 'end' | undefined> {
    const decoder = frames.createDecoder(this.#options);
    let request: ReceivedLaunch | 'replace' | undefined;
    let hasReceived = false;
    return new Promise((resolve, reject) => {
      const fail = (error: unknown): void => {
        this.#error ??= error instanceof SingletonError ? error : clientGoneError();
        this.#rejectInvalid(error);
        reject(error);
      };
      stream.on('data', (chunk: Uint8Array) => {
        if (this.#isSent) return this.#session?.push(chunk);
        if (this.#error !== undefined) return;
        hasReceived = true;
        try {
          if (request) throw malformedError(ONE_LAUNCH);
          for (const frame of decoder.push(chunk)) {
            if (request) throw malformedError(ONE_LAUNCH);
            const received = decodeRequest(frame);
            if (received === 'status') this.#answerStatus();
            else request = received === 'replace' ? received : { launch: received, bytes: frame.body.length };
          }
          // Throws the error of the bytes after the last frame, if there is one.
          if (!request) return void decoder.push(EMPTY);
          if (!isAtFrameBoundary(decoder)) throw malformedError(ONE_LAUNCH);
        } catch (error) {
          return fail(error);
        }
        const received = request;
        // A host that was busy or suspended reads the end of a stream one turn after its last bytes.
        afterTwoTurns(() => resolve(received));
        return undefined;
      });
      const onEnd = (): void => {
        if (this.#isSent) this.#session?.clientGone();
        else if (this.#hasStatus && !request && isAtFrameBoundary(decoder)) resolve('end');
        else fail(request ? clientGoneError() : truncatedError());
      };
      stream.on('end', onEnd).on('close', onEnd).resume();
      // The client may have disconnected while a module was loaded, or ended with its hello.
      if (stream.destroyed || stream.readableEnded) onEnd();
      stream.on('error', (error) => {
        const code = error instanceof SingletonError && error.code;
        if (code === 'ERR_SINGLETON_VERIFICATION_FAILED' && !hasReceived) resolve(undefined);
        if (code === 'ERR_SINGLETON_TRUNCATED_MESSAGE') onEnd();
        else if (this.#isSent) this.#session?.clientGone(error instanceof SingletonError ? error : undefined);
        else fail(error);
      });
    });
  }
}

const EMPTY = new Uint8Array(0);
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
  /** The size of its frame, without length and kind. */
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
