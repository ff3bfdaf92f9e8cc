import type { Duplex } from 'node:stream';
import type {
  Responder,
  Launch,
  ReceiptData,
  LaunchHandler,
  RefusalCode,
  ProtocolOptions,
} from '../interface/protocol.ts';
import { clientGoneError, SingletonError, malformedError } from '../interface/errors.ts';
import { afterTwoTurns } from '../interface/timers.ts';
import { rememberAddress, resetConnection } from '../interface/transport.ts';
import { frames, isAtFrameBoundary } from './frames.ts';
import { encodeHostHello, type HelloResult, readClientHello, rejectionError, type Status, STATUS } from './hello.ts';
import { checkHello, VERIFY_FAILURES, HOST_HELLO, respond } from './host-handshake.ts';
import { decodeRequest, type PackedLaunch, truncatedLaunchError } from './launch.ts';
import { encodeReceipt, encodeRefusal, encodeStatus, type Frame, KIND } from './messages.ts';
import { type WireFormat, deserialize } from './serializer.ts';
import { HostSession } from './session/host-session.ts';

/** The host's side of the structured protocol. */
export function readLaunch<T, R>(
  wireFormats: readonly WireFormat<T, R>[],
  connection: Duplex,
  options: ProtocolOptions,
  handler: LaunchHandler<T, R>,
): Responder {
  const reader = new LaunchReader(wireFormats, connection, options, handler);
  readClientHello(
    connection,
    (hello) => reader.onHello(hello),
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
  /** Whether the handler knows what the client wants, or why that is not known. */
  #isHandled = false;

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

  /** Answers the hello, and reads what follows. A stream may throw when it is written to. */
  onHello(hello: HelloResult): void {
    try {
      this.#answerHello(hello);
    } catch (error) {
      this.#handler.onError(error);
    }
  }

  #answerHello(hello: HelloResult): void {
    if (!hello) return this.#handler.onError(undefined);
    if (typeof hello === 'number') return this.#refuse(hello);
    const wireFormat = checkHello(this.#wireFormats, hello, this.#options);
    if (typeof wireFormat === 'number') return this.#refuse(wireFormat);
    const { secret } = this.#options;
    if (!secret) {
      this.#connection.write(HOST_HELLO);
      return this.#readRequest(this.#connection, wireFormat);
    }
    respond(this.#connection, secret, hello)
      .then((stream) => (stream ? this.#readRequest(stream, wireFormat) : this.#refuse(STATUS.verificationFailed)))
      .catch((error: unknown) => this.#handler.onError(error));
    return undefined;
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

  #refuse(status: Status): void {
    this.#isSent = true;
    rememberAddress(this.#connection);
    this.#connection.write(encodeHostHello(status));
    const reason = VERIFY_FAILURES[status];
    if (reason === undefined) this.#handler.onError(rejectionError(status));
    else this.#handler.onLaunch({ verified: false, reason });
  }

  /**
   * Answers a request for the status, and hands over what follows. The client may withdraw its launch, or break the protocol,
   * until the tick in which the launch is dispatched.
   */
  #readRequest(stream: Duplex, wireFormat: WireFormat<T, R>): void {
    this.#stream = stream;
    const decoder = frames.createDecoder(this.#options);
    let request: ReceivedLaunch | 'replace' | undefined;
    let hasReceived = false;
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
        return this.#fail(error);
      }
      const received = request;
      // A host that was busy or suspended reads the end of a stream one turn after its last bytes.
      afterTwoTurns(() => this.#settle(() => this.#onRequest(received, stream, wireFormat)));
      return undefined;
    });
    const onEnd = (): void => {
      if (this.#isSent) this.#session?.clientGone();
      else if (this.#hasStatus && !request && isAtFrameBoundary(decoder)) this.#settle(() => this.#onStatusOnly());
      else this.#fail(request ? clientGoneError() : truncatedLaunchError());
    };
    stream.on('end', onEnd).on('close', onEnd).resume();
    // The client may have disconnected while a module was loaded, or ended with its hello.
    if (stream.destroyed || stream.readableEnded) onEnd();
    stream.on('error', (error) => {
      const code = error instanceof SingletonError && error.code;
      // The handshake did not prove the secret after all.
      if (code === 'ERR_SINGLETON_VERIFICATION_FAILED' && !hasReceived)
        this.#settle(() => this.#handler.onLaunch({ verified: false, reason: 'replayed-handshake' }));
      if (code === 'ERR_SINGLETON_TRUNCATED_MESSAGE') onEnd();
      else if (this.#isSent) this.#session?.clientGone(error instanceof SingletonError ? error : undefined);
      else this.#fail(error);
    });
  }

  #onRequest(request: ReceivedLaunch | 'replace', stream: Duplex, wireFormat: WireFormat<T, R>): void {
    if (request === 'replace') return this.#handler.onReplace();
    const { name: codec, args: serializer } = wireFormat;
    let launch: Launch<T>;
    try {
      launch = { ...request.launch, args: deserialize(codec, serializer, request.launch.args) };
      if (launch.wait) this.#session = new HostSession(wireFormat, stream, this.#options, launch.terminals);
    } catch (error) {
      this.#rejectInvalid(error);
      return this.#handler.onError(error);
    }
    this.#handler.onLaunch({ verified: true, codec, launch, bytes: request.bytes, session: this.#session });
    return undefined;
  }

  /** A client that wanted no more than the status gets no refusal. */
  #onStatusOnly(): void {
    this.#isSent = true;
    this.#handler.onError(undefined);
  }

  #fail(error: unknown): void {
    this.#error ??= error instanceof SingletonError ? error : clientGoneError();
    this.#rejectInvalid(error);
    this.#settle(() => this.#handler.onError(error));
  }

  /** Only the first call has an effect. */
  #settle(handle: () => void): void {
    if (this.#isHandled) return;
    this.#isHandled = true;
    handle();
  }
}

const EMPTY = new Uint8Array(0);
const ONE_LAUNCH = 'one launch on a connection, but more bytes arrived before the receipt';

interface ReceivedLaunch {
  readonly launch: PackedLaunch;
  /** The size of its frame, without length and kind. */
  readonly bytes: number;
}
